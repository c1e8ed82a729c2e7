/** A standalone HTTP server: Node's own, on TCP and on Unix sockets, in front of one ModelForge. */
import { createServer, type Server } from "node:http"
import type { Duplex } from "node:stream"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { DataPlane, Guard, layerRoutes, maxHeaders, Protection, ServerReadiness } from "@modelforge/http"
import { type BodyPatience, makeNodeListener, type NodeListener } from "@modelforge/http/node"
import { Context, type Duration, Effect, FileSystem, Layer, Schema, Scope } from "effect"
import { HttpRouter } from "effect/http"
import { type Connections, watchConnections } from "./drain.ts"

/** Bytes of a request's line and headers. */
const maxHeaderBytes = 16 * 1024

/** Where a server listens. */
export type Listen =
  | { readonly host: string; readonly port: number }
  /** A Unix socket, made readable to its owner only. A file left there by a server that died is replaced. */
  | { readonly socketPath: string }

export interface ForgeServerOptions {
  readonly listen: ReadonlyArray<Listen>
  /** What has to be done before the server is ready, while it listens already and says so in `/readyz`. */
  readonly prepare?: { readonly what: string; readonly work: Effect.Effect<void> } | undefined
  /** How long requests under way may take to finish; asked for when the server stops. Default: 10 seconds. */
  readonly drainTimeout?: Effect.Effect<Duration.Input> | undefined
  /** How long a request's head may take to arrive, in milliseconds. Default: 20 seconds. */
  readonly headersTimeoutMs?: number | undefined
  /** For bodies that come slowly. */
  readonly patience?: BodyPatience | undefined
  /** Connections to one address at once; more are closed. Default: 10,000. */
  readonly maxConnections?: number | undefined
}

/** What to do, by the code of the system's refusal. */
const advice: Readonly<Record<string, string>> = {
  EADDRINUSE: "another program listens there: stop it, or choose another port with --port",
  EACCES: "this user may not listen there: choose a port above 1023 with --port",
  EADDRNOTAVAIL: "this machine has no such address: choose another with --host",
  ENOTFOUND: "this machine has no such address: choose another with --host",
}

const unixSocket = "its Unix socket"
const unixAdvice: Readonly<Record<string, string>> = {
  EACCES: "its folder does not exist, or this user may not write to it", // the system gives one code for both
  EINVAL: "its path is too long: choose another folder",
  ENAMETOOLONG: "its path is too long: choose another folder",
}

export class ListenFailed extends Schema.TaggedError<ListenFailed>()("ListenFailed", {
  address: Schema.String,
  code: Schema.String,
}) {
  override get message() {
    const known = this.address === unixSocket ? unixAdvice : advice
    return `The server can't listen on ${this.address}: ${known[this.code] ?? this.code}`
  }
}

const describe = (listen: Listen) => {
  if ("socketPath" in listen) return unixSocket
  return `${listen.host.includes(":") ? `[${listen.host}]` : listen.host}:${listen.port}`
}

/** Listens, and gives the port: the one asked for, or the one the system chose for 0. */
const bind = (server: Server, listen: Listen) =>
  Effect.callback<number, ListenFailed>((resume) => {
    const failed = (error: NodeJS.ErrnoException) =>
      resume(Effect.fail(new ListenFailed({ address: describe(listen), code: error.code ?? error.message })))
    server.once("error", failed)
    server.listen("socketPath" in listen ? { path: listen.socketPath } : listen, () => {
      server.off("error", failed)
      const address = server.address()
      resume(Effect.succeed(address !== null && typeof address === "object" ? address.port : 0))
    })
  })

/** The routes that are not the data plane's, as a listener of Node's. */
const makeApp = Effect.gen(function* () {
  // Requests under way end with their scope. One of their own, forked before the servers', outlives the drain.
  const scope = yield* Scope.fork(yield* Effect.scope, "parallel")
  const app = yield* HttpRouter.toHttpEffect(layerRoutes)
  return yield* NodeHttpServer.makeHandler(app, { scope })
})

const malformedStatus: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: "431 Request Header Fields Too Large",
  ERR_HTTP_REQUEST_TIMEOUT: "408 Request Timeout",
}

/** What follows on a connection that is not HTTP, or not in time. An answer on its way is cut: after it nothing could be told from it. */
const answerMalformed = (connections: Connections) => (error: NodeJS.ErrnoException, socket: Duplex) => {
  if (error.code === "ECONNRESET" || !socket.writable || connections.isAnswering(socket)) {
    socket.destroy()
    return
  }
  const status = malformedStatus[error.code ?? ""] ?? "400 Bad Request"
  socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`)
}

export class ForgeServer extends Context.Service<
  ForgeServer,
  {
    /** Port of each TCP address, in the order of `listen`; 0 for a Unix socket. */
    readonly ports: ReadonlyArray<number>
  }
>()("@modelforge/server/ForgeServer") {
  /** Listens while the scope is open. Closing it drains: no new connections, what runs finishes. */
  static readonly make = Effect.fn("ForgeServer.make")(function* (options: ForgeServerOptions) {
    const fs = yield* FileSystem.FileSystem
    const dataPlane = yield* DataPlane
    const guard = yield* Guard
    const protection = yield* Protection
    const readiness = yield* ServerReadiness
    const app: NodeListener = yield* makeApp
    const drainTimeout = options.drainTimeout ?? Effect.succeed("10 seconds" as const)
    const servers: Array<Connections> = []
    // One finalizer for all: while one address drains, no other may take new requests.
    yield* Effect.addFinalizer(() =>
      Effect.flatMap(drainTimeout, (timeout) =>
        Effect.forEach(servers, ({ drain }) => drain(timeout), { concurrency: "unbounded", discard: true }),
      ),
    )

    const open = Effect.fnUntraced(function* (listen: Listen) {
      const unixSocket = "socketPath" in listen
      const { patience, headersTimeoutMs = 20_000 } = options
      const listener = makeNodeListener({ dataPlane, app, guard, protection, unixSocket, patience })
      const server = createServer(
        {
          keepAliveTimeout: 65_000,
          requestTimeout: 0, // bodies have limits of their own
          headersTimeout: headersTimeoutMs,
          connectionsCheckingInterval: Math.min(1000, headersTimeoutMs),
          maxHeaderSize: maxHeaderBytes,
        },
        listener,
      )
      // One more than is taken, for Node drops what is beyond in silence.
      server.maxHeadersCount = maxHeaders + 1
      server.maxConnections = options.maxConnections ?? 10_000
      const connections = watchConnections(server)
      servers.push(connections)
      server.on("clientError", answerMalformed(connections))
      if (unixSocket) yield* Effect.ignore(fs.remove(listen.socketPath, { force: true }))
      const port = yield* bind(server, listen)
      if (unixSocket) yield* Effect.orDie(fs.chmod(listen.socketPath, 0o600))
      return port
    }, Effect.uninterruptible)

    const ports = yield* Effect.forEach(options.listen, open)
    if (options.prepare !== undefined) {
      yield* readiness.waitFor([options.prepare.what])
      yield* options.prepare.work
    }
    yield* readiness.ready
    yield* Effect.addFinalizer(() => readiness.draining)
    return ForgeServer.of({ ports })
  })

  static readonly layer = (options: ForgeServerOptions) =>
    Layer.effect(this, this.make(options)).pipe(Layer.provide(NodeHttpServer.layerHttpServices))
}
