import { existsSync, readFileSync } from "node:fs"
import { assert, it } from "@effect/vitest"
import { exampleModels, wineInputs } from "@modelforge/example-models"
import { layerClient } from "@modelforge/postgres"
import { Duration, Effect, Fiber, Schema } from "effect"
import { SqlClient } from "effect/sql"
import * as onnx from "../../../onnx/test/onnxFile.ts"
import { open, temporaryFolder } from "../../../postgres/test/embedded/harness.ts"
import { startServer } from "./command.ts"
import { get, predict, send, type Target, upload } from "./http.ts"
import { startRelay } from "./relay.ts"

const fileOf = (name: string) => readFileSync(exampleModels.find((model) => model.name === name)?.file ?? "")

const secret = "s3cret-word"

/** A database on TCP, and a way to start servers that share it and their artifacts. */
const sharedDatabase = Effect.gen(function* () {
  const folder = yield* temporaryFolder
  const { socketPath } = yield* open({ dataDirectory: `${folder}/postgres`, settings: { fsync: "off" } })
  const relay = yield* startRelay(socketPath)
  const environment = {
    DATABASE_URL: `postgres://postgres:${secret}@127.0.0.1:${relay.port}/postgres`,
    SECRET_KEY: "a secret that all servers share, long enough",
    MODELFORGE_ARTIFACTS_URL: `file:${folder}/artifacts`,
  }
  /** Runs one statement as the owner of the database. */
  const administer = (statement: string) =>
    SqlClient.SqlClient.use((sql) => sql.unsafe(statement)).pipe(
      Effect.provide(layerClient({ socketPath }), { local: true }),
    )
  return { relay, administer, start: startServer({ environment }) }
})

/** The same model in other bytes: a field that no reader knows is appended. */
const variant = (name: string, salt: string) => onnx.concat(fileOf(name), onnx.bytes(6, salt))

/** Which version answers for `version`, or for nothing said; the status when none does. */
const versionOf = (target: Target, model: string, version?: number | string) =>
  Effect.map(
    send(target, "POST", `/v1/models/${model}/predict`, { json: { inputs: wineInputs, version } }),
    ({ status, headers }) => (status === 200 ? Number(headers["modelforge-model-version"]) : status),
  )

/** The numbers that a server routes to, by heart; the status when it knows no such model. Loads nothing. */
const routedBy = (target: Target) =>
  Effect.map(get(target, "/v2/models/wine"), ({ status, json }) =>
    status === 200 && typeof json === "object" && json !== null && "versions" in json
      ? String(json.versions)
      : String(status),
  )

/** Has both servers load the versions, so that a first prediction does not pass for a late change. */
const warm = (servers: ReadonlyArray<{ readonly target: Target }>, versions: ReadonlyArray<number>) =>
  Effect.forEach(servers, ({ target }) =>
    Effect.forEach(versions, (version) =>
      Effect.repeat(versionOf(target, "wine", version), { until: (answer) => answer === version }),
    ),
  )

const production = "/v1/models/wine/aliases/production"
const moveTo = (target: Target, version: number) => send(target, "PUT", production, { json: { version } })
const rollback = (target: Target) => send(target, "POST", `${production}/rollback`)

/** Asks until the answer is the wanted one, and gives the milliseconds it took; within a second, or the test fails. */
const within = <A>(wanted: A, ask: Effect.Effect<A, unknown>) =>
  Effect.timed(Effect.repeat(Effect.orDie(ask), { until: (answer) => answer === wanted })).pipe(
    Effect.timeoutOrElse({
      duration: "1 second",
      orElse: () => Effect.die(new Error(`not ${wanted} within a second`)),
    }),
    Effect.map(([took]) => Duration.toMillis(took)),
  )

const labelOf = (target: Target, model: string) =>
  Effect.map(predict(target, model, wineInputs), ({ outputs }) => outputs["label"])

it.live(
  "two servers share a database and artifacts; an upload on one is served by both after a restart",
  () =>
    Effect.gen(function* () {
      const { start } = yield* sharedDatabase
      yield* Effect.scoped(
        Effect.gen(function* () {
          // At once: each of them finds an empty database to bring up to date.
          const [one, two] = yield* Effect.all([start, start], { concurrency: 2 })
          assert.strictEqual((yield* upload(one.target, "wine", fileOf("wine"))).status, 201)
          assert.deepStrictEqual(yield* labelOf(one.target, "wine"), [0])
          // The database tells every server, whoever was asked to write.
          assert.strictEqual((yield* get(two.target, "/v1/models/wine/versions/1/artifact")).status, 200)
          assert.strictEqual((yield* upload(two.target, "wine", fileOf("wine"))).status, 409)
          for (const { folder } of [one, two]) assert.isFalse(existsSync(`${folder}/.modelforge/postgres`))
          yield* one.signal("SIGKILL")
          yield* two.signal("SIGTERM")
          assert.strictEqual(yield* two.exit, 0, two.stderr())
        }),
      )
      const [one, two] = yield* Effect.all([start, start], { concurrency: 2 })
      assert.deepStrictEqual(yield* labelOf(one.target, "wine"), [0])
      assert.deepStrictEqual(yield* labelOf(two.target, "wine"), [0])
    }),
)

it.live(
  "while the database is away predictions go on, changes are refused, and all is well when it is back",
  () =>
    Effect.gen(function* () {
      const { relay, start } = yield* sharedDatabase
      const server = yield* start
      yield* upload(server.target, "wine", fileOf("wine"))
      yield* relay.cut
      assert.deepStrictEqual(yield* labelOf(server.target, "wine"), [0])
      const refused = yield* upload(server.target, "late", fileOf("diabetes"))
      assert.strictEqual(refused.status, 503, refused.bytes.toString())
      assert.notMatch(refused.bytes.toString(), /postgres|127\.0\.0\.1|select|insert/i)
      yield* relay.restore
      const uploaded = upload(server.target, "late", fileOf("diabetes"))
      const { status } = yield* Effect.repeat(uploaded, { until: ({ status }) => status !== 503, times: 50 })
      assert.strictEqual(status, 201)
      assert.notInclude(server.stderr(), secret)
      yield* server.signal("SIGINT")
      assert.strictEqual(yield* server.exit, 0)
    }),
)

it.live("what is changed on one server is served by the other within a second", () =>
  Effect.gen(function* () {
    const { start, administer } = yield* sharedDatabase
    const [one, two] = yield* Effect.all([start, start], { concurrency: 2 })
    yield* upload(one.target, "wine", fileOf("wine"))
    yield* within("1", routedBy(two.target))
    yield* upload(two.target, "wine", variant("wine", "second"))
    yield* within("1,2", routedBy(one.target))
    yield* warm([one, two], [1, 2])
    yield* moveTo(one.target, 1)
    yield* within(1, versionOf(two.target, "wine"))
    yield* moveTo(two.target, 2)
    yield* within(2, versionOf(one.target, "wine", "production"))
    yield* rollback(one.target)
    yield* within(1, versionOf(two.target, "wine", "production"))
    yield* send(one.target, "POST", "/v1/models/wine/versions/2/archive")
    yield* within("1", routedBy(two.target))
    assert.strictEqual(yield* versionOf(two.target, "wine", 2), 503)
    yield* send(two.target, "POST", "/v1/models/wine/versions/2/restore")
    yield* within("1,2", routedBy(one.target))
    yield* warm([one, two], [1, 2])
    // The connections of both are cut, and a change comes before they are made again.
    yield* administer(`
      SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
      WHERE application_name = 'modelforge' AND pid <> pg_backend_pid()
    `)
    yield* Effect.repeat(moveTo(one.target, 2), { until: ({ status }) => status === 200, times: 20 })
    yield* within(2, versionOf(two.target, "wine"))
    yield* send(one.target, "DELETE", "/v1/models/wine")
    yield* within("404", routedBy(two.target))
  }),
)

const Readiness = Schema.Struct({
  ready: Schema.Boolean,
  registryOutOfReachSince: Schema.optionalKey(Schema.DateTimeUtcFromString),
})

it.live("a server without its database stays ready, says since when, and catches up when it is back", () =>
  Effect.gen(function* () {
    const { relay, start } = yield* sharedDatabase
    const server = yield* start
    yield* upload(server.target, "wine", fileOf("wine"))
    const readiness = Effect.flatMap(get(server.target, "/readyz"), ({ status, json }) => {
      assert.strictEqual(status, 200)
      return Schema.decodeUnknownEffect(Readiness)(json)
    })
    const outOfReach = Effect.map(readiness, (it) => it.registryOutOfReachSince !== undefined)
    assert.deepStrictEqual(yield* readiness, { ready: true })
    yield* relay.cut
    yield* within(true, outOfReach)
    const { registryOutOfReachSince: since } = yield* readiness
    assert.strictEqual(yield* versionOf(server.target, "wine"), 1)
    yield* Effect.exit(moveTo(server.target, 1))
    assert.deepStrictEqual((yield* readiness).registryOutOfReachSince, since)
    yield* relay.restore
    // Attempts to listen are up to five seconds apart.
    yield* Effect.repeat(outOfReach, { until: (out) => !out }).pipe(Effect.timeout("30 seconds"))
    assert.strictEqual((yield* moveTo(server.target, 1)).status, 200)
  }),
)

it.live("moves and rollbacks on one server lose no request on either", () =>
  Effect.gen(function* () {
    const { start } = yield* sharedDatabase
    const [one, two] = yield* Effect.all([start, start], { concurrency: 2 })
    for (const salt of ["1", "2", "3"])
      assert.strictEqual((yield* upload(one.target, "wine", variant("wine", salt))).status, 201)
    yield* moveTo(one.target, 1)
    yield* warm([one, two], [1, 2, 3])
    const answers = new Map<number, number>()
    const traffic = yield* Effect.forEach([one, one, two, two], ({ target }) =>
      versionOf(target, "wine", "production").pipe(
        Effect.map((answer) => answers.set(answer, (answers.get(answer) ?? 0) + 1)),
        Effect.forever,
        Effect.forkChild,
      ),
    )
    yield* within(1, versionOf(two.target, "wine", "production"))
    answers.clear()
    for (let round = 0; round < 10; round++) {
      for (const version of [2, 3]) assert.strictEqual((yield* moveTo(one.target, version)).status, 200)
      for (const _twice of [1, 2]) assert.strictEqual((yield* rollback(two.target)).status, 200)
    }
    yield* Effect.forEach(traffic, (fiber) => Fiber.interrupt(fiber))
    const seen = [...answers.keys()].sort((a, b) => a - b)
    assert.deepStrictEqual(seen, [1, 2, 3])
    assert.isAbove(answers.get(1) ?? 0, 10)
  }),
)

/** Gives back what it gets, as its stable version does, but fails on everything beyond 2. */
const brokenBeyondTwo = onnx.model({
  nodes: [
    onnx.node("Cast", ["x"], ["i"], { attributes: [onnx.attributeInt("to", onnx.elementType.INT64)] }),
    onnx.node("Gather", ["table", "i"], ["y"]),
  ],
  initializers: [onnx.tensor("table", onnx.elementType.FP32, [3], onnx.rawData(Float32Array.of(0, 1, 2)))],
  inputs: [onnx.value("x", onnx.elementType.FP32, ["n"])],
  outputs: [onnx.value("y", onnx.elementType.FP32, ["n"])],
})

const History = Schema.Struct({
  items: Schema.Array(
    Schema.Struct({
      updatedBy: Schema.NullOr(Schema.String),
      reason: Schema.NullOr(Schema.String),
      policy: Schema.Struct({
        split: Schema.Array(Schema.Struct({ version: Schema.Int, weight: Schema.Int })),
      }),
    }),
  ),
})

it.live(
  "a canary that fails takes itself out on both servers, once, with no more failures than the rule allows",
  () =>
    Effect.gen(function* () {
      const { start } = yield* sharedDatabase
      const [one, two] = [yield* start, yield* start]
      const servers = [one, two]
      const { target } = one
      for (const file of [onnx.identity(onnx.elementType.FP32), brokenBeyondTwo])
        assert.strictEqual((yield* upload(target, "echo", file)).status, 201)
      const traffic = "/v1/models/echo/traffic"
      const minRequests = 10
      const set = yield* send(target, "PUT", traffic, {
        json: {
          split: [
            { version: 1, weight: 60 },
            { version: 2, weight: 40 },
          ],
          rollback: { errorRate: 0.2, windowSeconds: 60, minRequests },
        },
      })
      assert.strictEqual(set.status, 200, set.bytes.toString())
      const ask = (server: Target) =>
        send(server, "POST", "/v1/models/echo/predict", { json: { inputs: { x: [7] } } })
      for (const server of servers)
        yield* Effect.repeat(
          Effect.map(get(server.target, "/v1/models/echo/traffic"), ({ status }) => status),
          { until: (status) => status === 200 },
        )
      const concurrency = 4
      const answers = yield* Effect.forEach(
        Array.from({ length: 400 }, (_, index) => (index % 2 === 0 ? one : two).target),
        ask,
        { concurrency },
      )
      const failures = answers.filter(({ status }) => status !== 200)
      // Each server judges by what it saw, and what was in flight then may fail, too.
      assert.isAtLeast(failures.length, minRequests)
      assert.isAtMost(failures.length, servers.length * minRequests + concurrency)
      // The last hundred are past it.
      assert.isTrue(answers.slice(-100).every(({ headers }) => headers["modelforge-model-version"] === "1"))
      for (const server of servers) {
        const { json } = yield* get(server.target, `${traffic}/history`)
        const { items } = yield* Schema.decodeUnknownEffect(History)(json)
        assert.strictEqual(items.length, 2)
        assert.deepStrictEqual(items[0]?.policy.split, [{ version: 1, weight: 100 }])
        assert.strictEqual(items[0]?.updatedBy, "rollback rule")
        assert.match(items[0]?.reason ?? "", /^Version 2 was taken out of the split: \d+ of 1\d requests/)
      }
      const logged = servers.map(({ stderr, stdout }) => stderr() + stdout()).join("")
      assert.include(logged, "Version 2 was taken out of the split")
    }),
  120_000,
)
