import { existsSync, readdirSync, readFileSync } from "node:fs"
import { Agent } from "node:http"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import { random } from "../../../core/test/random.ts"
import { runnersOf } from "../../../onnx/test/processes.ts"
import { eventually, nothingRunsIn, processesOf } from "../../../postgres/test/embedded/harness.ts"
import { type Command, type RunningServer, sharedFolder, startCommand, startServer } from "./command.ts"
import { get, predict, type Target, upload } from "./http.ts"
import { slowModel } from "./slowModel.ts"

const folder = sharedFolder()

const start = (...args: ReadonlyArray<string>) =>
  Effect.flatMap(folder, (folder) => startServer({ folder, args: ["--examples", ...args] }))

const wine = { features: [Array.from({ length: 13 }, () => 1)] }

const keepAlive = Effect.acquireRelease(
  Effect.sync(() => new Agent({ keepAlive: true })),
  (agent) => Effect.sync(() => agent.destroy()),
)

/** Must exit 0 within `seconds`, with nothing left: no process, no socket, no record. */
const stopsWithin = Effect.fnUntraced(function* (server: Command, seconds: number) {
  const since = performance.now()
  assert.strictEqual(yield* server.exit, 0, server.stderr())
  assert.isBelow(performance.now() - since, seconds * 1000)
  assert.deepStrictEqual(processesOf(server.folder), [])
  assert.deepStrictEqual(readdirSync(server.folder), [".modelforge"])
  assert.isFalse(existsSync(`${server.folder}/.modelforge/server.json`))
})

const loop = (target: Target, n: number) => predict(target, "slow", { n, x: [0.5] })

/** Processor time that the server's runners have used, in ticks of 10 ms. */
const ticksOfRunners = (server: number) =>
  runnersOf(server).reduce((sum, pid) => {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /, "")
      .split(" ")
    return sum + Number(fields[11]) + Number(fields[12])
  }, 0)

/** Begins a prediction that takes about so many seconds, and returns while the model is at work on it. */
const slowPrediction = Effect.fnUntraced(function* ({ pid, target }: RunningServer, seconds: number) {
  const { status } = yield* upload(target, "slow", slowModel)
  assert.include([201, 409], status)
  yield* loop(target, 1)
  const loops = 100_000
  const since = performance.now()
  yield* loop(target, loops)
  const rate = (loops * 1000) / (performance.now() - since)
  const before = ticksOfRunners(pid)
  const running = yield* Effect.forkScoped(Effect.exit(loop(target, Math.ceil(rate * seconds))))
  yield* eventually("the model is at work", () => ticksOfRunners(pid) >= before + 5)
  return running
})

describe("SIGINT", () => {
  it.live("answers what is under way, closes kept connections, and exits 0 within three seconds", () =>
    Effect.gen(function* () {
      const server = yield* start()
      const agent = yield* keepAlive
      yield* predict(server.target, "wine", wine, { agent })
      const slow = yield* slowPrediction(server, 0.4)
      yield* server.signal("SIGINT")
      // npm and terminals deliver one Ctrl-C twice.
      yield* eventually("the signal arrived", () => server.stderr().includes("SIGINT: finishing"))
      yield* server.signal("SIGINT")
      yield* stopsWithin(server, 3)
      assert.isTrue(Exit.isSuccess(yield* Fiber.join(slow)))
    }),
  )

  it.live("does not wait for a prediction without end", () =>
    Effect.gen(function* () {
      const server = yield* start()
      const slow = yield* slowPrediction(server, 600)
      yield* server.signal("SIGINT")
      yield* stopsWithin(server, 3)
      assert.isTrue(Exit.isFailure(yield* Fiber.join(slow)))
    }),
  )

  it.live("a second one, when the first was long ago, ends it at once", () =>
    Effect.gen(function* () {
      const server = yield* start("--grace-seconds", "60")
      yield* server.signal("SIGTERM")
      yield* Effect.sleep("1100 millis")
      yield* server.signal("SIGINT")
      assert.strictEqual(yield* server.exit, 130)
      yield* nothingRunsIn(server.folder)
    }),
  )
})

describe("SIGTERM", () => {
  it.live("serves on for the grace period, /readyz at 503, and exits 0", () =>
    Effect.gen(function* () {
      const server = yield* start("--grace-seconds", "1")
      assert.strictEqual((yield* get(server.target, "/readyz")).status, 200)
      yield* server.signal("SIGTERM")
      yield* eventually("the signal arrived", () => server.stderr().includes("SIGTERM: finishing"))
      const readiness = yield* get(server.target, "/readyz")
      assert.strictEqual(readiness.status, 503)
      assert.deepInclude(readiness.json, { ready: false, state: "draining" })
      assert.strictEqual((yield* get(server.target, "/v2/health/ready")).status, 503)
      assert.strictEqual((yield* get(server.target, "/healthz")).status, 200)
      yield* predict(server.target, "wine", wine)
      yield* stopsWithin(server, 3)
    }),
  )

  it.live("waits for a prediction that takes longer than the grace period", () =>
    Effect.gen(function* () {
      const server = yield* start("--grace-seconds", "0")
      const slow = yield* slowPrediction(server, 1.5)
      yield* server.signal("SIGTERM")
      yield* stopsWithin(server, 20)
      assert.isTrue(Exit.isSuccess(yield* Fiber.join(slow)))
    }),
  )
})

describe("signals while it starts", () => {
  const { int } = random(7)

  for (const signal of ["SIGINT", "SIGTERM"] as const)
    it.live(`${signal} at any moment leaves nothing running, and the folder in order`, () =>
      Effect.gen(function* () {
        const directory = yield* folder
        for (let round = 0; round < 4; round++) {
          const command = yield* startCommand({ folder: directory, args: ["--port", "0", "--examples"] })
          yield* Effect.sleep(100 + int(1100))
          yield* command.signal(signal)
          // Before any of our code runs, a signal ends the process as it does any other.
          assert.include([0, signal], yield* command.exit, command.stderr())
          yield* nothingRunsIn(directory)
        }
        const server = yield* start()
        yield* predict(server.target, "wine", wine)
      }),
    )

  it.live(
    "kill -9 at any moment of the very first start leaves nothing running, and a folder that opens",
    () =>
      Effect.gen(function* () {
        const command = yield* startCommand({ args: ["--port", "0", "--examples"] })
        yield* Effect.sleep(700 + int(1000))
        yield* command.signal("SIGKILL")
        yield* nothingRunsIn(command.folder)
        const server = yield* startServer({ folder: command.folder, args: ["--examples"] })
        yield* predict(server.target, "wine", wine)
      }),
  )
})

it.live("kill -9 takes PostgreSQL and the runner along", () =>
  Effect.gen(function* () {
    const server = yield* start()
    yield* predict(server.target, "wine", wine)
    assert.isAtLeast(processesOf(server.folder).length, 3, "server, PostgreSQL, runner")
    yield* server.signal("SIGKILL")
    assert.strictEqual(yield* server.exit, "SIGKILL")
    yield* nothingRunsIn(server.folder)
  }),
)

it.live("the end of its database ends the server, which says why", () =>
  Effect.gen(function* () {
    const server = yield* start()
    const lock = `${server.folder}/.modelforge/postgres/postmaster.pid`
    process.kill(Number.parseInt(readFileSync(lock, "utf8"), 10), "SIGKILL")
    assert.strictEqual(yield* server.exit, 1)
    assert.match(server.stderr(), /^modelforge: The embedded PostgreSQL stopped unexpectedly$/m)
    yield* nothingRunsIn(server.folder)
  }),
)
