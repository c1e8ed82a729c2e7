import { existsSync, readFileSync } from "node:fs"
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { exampleModels, wineInputs } from "@modelforge/example-models"
import { Console, Effect, Exit, Fiber, Logger } from "effect"
import * as onnx from "../../onnx/test/onnxFile.ts"
import { eventually, nothingRunsIn, temporaryFolder } from "../../postgres/test/embedded/harness.ts"
import type { ServeSettings } from "../src/ServeSettings.ts"
import { serve } from "../src/serve.ts"
import type { StopSignal } from "../src/stopSignal.ts"
import { get, predict, send } from "./command/http.ts"

const settingsIn = (folder: string): ServeSettings => ({
  host: "127.0.0.1",
  port: 0,
  dataDirectory: `${folder}/data`,
  databaseUrl: undefined,
  secretKey: undefined,
  artifacts: undefined,
  artifactCacheBytes: 1000,
  maxArtifactBytes: 1_000_000,
  maxUploadsBytes: 2 ** 30,
  uploadExpiryHours: 24,
  maxRequestBytes: 1_000_000,
  modelMemoryBytes: undefined,
  runnerMemoryBytes: undefined,
  graceSeconds: 0,
  examples: false,
  network: { redisUrl: undefined, rateLimit: null, protection: {} },
  mayBeOpen: true,
  adminKey: undefined,
  dashboardPublicKey: undefined,
})

/** Keeps what the program prints on standard output; its log is not shown. */
const recorder = () => {
  const lines: Array<string> = []
  const recording: Console.Console = {
    ...globalThis.console,
    log: (...words) => void lines.push(words.join(" ")),
    error: () => {},
  }
  const record = <A, E, R>(program: Effect.Effect<A, E, R>) =>
    program.pipe(
      Effect.provideService(Console.Console, recording),
      Effect.provideService(Logger.LogToStderr, true),
    )
  return { lines, record }
}

/** Serves in this process; `deliver` hands it a signal as the system would, and nobody else. */
const serveHere = Effect.fnUntraced(function* (settings: ServeSettings) {
  const before = { SIGINT: process.listeners("SIGINT"), SIGTERM: process.listeners("SIGTERM") }
  const added = (signal: StopSignal) =>
    process.listeners(signal).filter((listener) => !before[signal].includes(listener))
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      for (const signal of ["SIGINT", "SIGTERM"] as const)
        for (const listener of added(signal)) process.off(signal, listener)
    }),
  )
  const { lines, record } = recorder()
  const server = yield* serve(settings, { version: "1.2.3", onSecondSignal: () => {} }).pipe(
    record,
    Effect.provide(NodeServices.layer),
    Effect.forkScoped,
  )
  const ready = Effect.gen(function* () {
    yield* eventually("the server is ready", () => lines.length > (settings.examples ? 1 : 0))
    return { port: Number(new URL(lines[0]?.replace("ready ", "") ?? "").port) }
  })
  const deliver = (signal: StopSignal) => {
    for (const listener of added(signal)) listener(signal)
  }
  return { server, lines, ready, deliver }
})

/** The same model in other bytes. */
const otherBytes = (version: number) => {
  const file = exampleModels.find(({ name }) => name === "diabetes")?.file ?? ""
  return onnx.concat(readFileSync(file), onnx.bytes(6, `after ${version}`))
}

describe("serve", () => {
  it.live("serves the examples until a signal, and the next time as people left them", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      for (const [production, signal] of [
        [1, "SIGINT"],
        [2, "SIGTERM"],
      ] as const) {
        const { server, lines, ready, deliver } = yield* serveHere({ ...settingsIn(folder), examples: true })
        const target = yield* ready
        assert.match(lines[1] ?? "", /^Try: curl -s http:\/\/127\.0\.0\.1:\d+\/v1\/models\/wine\/predict /)
        const { json } = yield* get(target, "/v1/models")
        assert.deepNestedInclude(json, {
          "items[0].name": "diabetes",
          "items[0].aliases.production": production,
        })
        assert.deepNestedInclude(json, { "items[2].name": "wine", "items[2].latestVersion": 1 })
        assert.deepInclude((yield* get(target, "/v2")).json, { name: "modelforge", version: "1.2.3" })
        assert.deepStrictEqual((yield* predict(target, "wine", wineInputs)).outputs["label"], [0])
        const path = "/v1/models/diabetes/versions?alias=production"
        const { status } = yield* send(target, "POST", path, { body: otherBytes(production) })
        assert.strictEqual(status, 201)
        deliver(signal)
        assert.isTrue(Exit.isSuccess(yield* Fiber.await(server)))
        yield* nothingRunsIn(folder)
      }
    }),
  )

  it.live("a signal before it is ready needs no grace period", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const { server, lines, deliver } = yield* serveHere({ ...settingsIn(folder), graceSeconds: 3600 })
      yield* eventually("the start is under way", () => existsSync(`${folder}/data`))
      deliver("SIGTERM")
      assert.isTrue(Exit.isSuccess(yield* Fiber.await(server)))
      assert.deepStrictEqual(lines, [])
      yield* nothingRunsIn(folder)
    }),
  )

  it.live("SIGTERM keeps it serving, not ready, for the grace period", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const { server, ready, deliver } = yield* serveHere({ ...settingsIn(folder), graceSeconds: 1 })
      const target = yield* ready
      deliver("SIGTERM")
      const draining = Effect.map(get(target, "/readyz"), ({ status }) => status)
      yield* Effect.repeat(draining, { until: (status) => status === 503 })
      assert.strictEqual((yield* get(target, "/healthz")).status, 200)
      assert.isTrue(Exit.isSuccess(yield* Fiber.await(server)))
    }),
  )

  it.live("fails when the database is lost for good", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const { server, ready } = yield* serveHere(settingsIn(folder))
      yield* ready
      const lock = readFileSync(`${folder}/data/postgres/postmaster.pid`, "utf8")
      process.kill(Number.parseInt(lock, 10), "SIGKILL")
      const error = yield* Effect.flip(Fiber.join(server))
      assert.strictEqual(error.message, "The embedded PostgreSQL stopped unexpectedly")
      yield* nothingRunsIn(folder)
    }),
  )

  it.live("writes IPv6 addresses as URLs have them", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const { lines, ready } = yield* serveHere({ ...settingsIn(folder), host: "::1" })
      yield* ready
      assert.match(lines[0] ?? "", /^ready http:\/\/\[::1\]:\d+$/)
    }),
  )
})
