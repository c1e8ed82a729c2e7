/** The standalone server on a forge of a test's own, and clients that say exactly what goes over the wire. */
import { connect, type Socket } from "node:net"
import { NodeServices } from "@effect/platform-node"
import type { Settings } from "@modelforge/core"
import { Guard, type GuardOptions, ServerReadiness, ServerVersion } from "@modelforge/http"
import { Effect, Exit, Layer, Scope } from "effect"
import { mountOf } from "../../../packages/http/test/Mount.ts"
import { makeForge } from "../../../packages/http/test/TestForge.ts"
import { ForgeServer, type ForgeServerOptions, type Listen } from "../src/index.ts"

export const anyPort: Listen = { host: "127.0.0.1", port: 0 }

/** A server with a scope of its own, so that a test can stop it; it stops with the test's scope at the latest. */
export const startServer = Effect.fnUntraced(function* (
  options: Partial<ForgeServerOptions> = {},
  settings: Partial<Settings> = {},
  guard: GuardOptions = { open: true },
) {
  const forge = yield* makeForge(settings)
  const scope = yield* Scope.fork(yield* Effect.scope)
  const engine = yield* Effect.orDie(Layer.build(forge.layer))
  const context = yield* ForgeServer.layer({ listen: [anyPort], ...options }).pipe(
    Layer.provide(Guard.layer(guard)),
    Layer.provide(Layer.succeedContext(engine)),
    Layer.provide([NodeServices.layer, Layer.succeed(ServerVersion, "1.2.3")]),
    Layer.build,
    Scope.provide(scope),
  )
  const { ports } = yield* ForgeServer.pipe(Effect.provide(context))
  const readiness = yield* ServerReadiness.pipe(Effect.provide(engine))
  const url = `http://127.0.0.1:${ports[0]}`
  return {
    ...mountOf(forge, (path, init) => fetch(`${url}${path}`, init)),
    ports,
    port: ports[0] ?? 0,
    readiness,
    /** What the server is mounted on. */
    engine,
    /** Drains. */
    stop: Scope.close(scope, Exit.void),
  }
})

/** A connection on which a test writes and reads bytes as they are. */
export class Wire {
  readonly socket: Socket
  #received = ""
  #closed = false
  #waiting: () => void = () => {}
  constructor(socket: Socket) {
    this.socket = socket
    socket.setEncoding("latin1")
    socket.on("data", (chunk) => {
      this.#received += chunk
      this.#waiting()
    })
    // A reset is an end too.
    socket.on("error", () => {})
    socket.on("close", () => {
      this.#closed = true
      this.#waiting()
    })
  }

  send(text: string): void {
    this.socket.write(text, "latin1")
  }

  /** Waits until what came matches, or the connection is closed; gives all that came. */
  readonly until = (pattern: RegExp): Effect.Effect<string> =>
    Effect.callback((resume) => {
      this.#waiting = () => {
        if (this.#closed || pattern.test(this.#received)) resume(Effect.succeed(this.#received))
      }
      this.#waiting()
    })

  /** Waits for the end of the connection; gives all that came. */
  readonly ended: Effect.Effect<string> = Effect.callback((resume) => {
    this.#waiting = () => {
      if (this.#closed) resume(Effect.succeed(this.#received))
    }
    this.#waiting()
  })

  static readonly open = (target: { readonly port: number } | { readonly path: string }) =>
    Effect.acquireRelease(
      Effect.callback<Wire, Error>((resume) => {
        const socket = connect("path" in target ? target : { ...target, host: "127.0.0.1" })
        const wire = new Wire(socket)
        socket.once("connect", () => resume(Effect.succeed(wire)))
        socket.once("error", (error) => resume(Effect.fail(error)))
      }),
      ({ socket }) => Effect.sync(() => socket.destroy()),
    )
}

/** A request as it goes over the wire. */
export const request = (head: string, headers: Readonly<Record<string, string>> = {}, body = "") => {
  const length = body === "" ? {} : { "content-length": String(body.length) }
  const lines = Object.entries({ host: "localhost", ...length, ...headers })
  return `${head} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n${body}`
}

export const predict = (inputs: unknown = { x: [[1, 2]] }) =>
  request(
    "POST /v1/models/digits/predict",
    { "content-type": "application/json" },
    JSON.stringify({ inputs }),
  )
