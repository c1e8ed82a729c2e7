import { existsSync, readFileSync } from "node:fs"
import { assert, it } from "@effect/vitest"
import { exampleModels, wineInputs } from "@modelforge/example-models"
import { Effect } from "effect"
import { open, temporaryFolder } from "../../../postgres/test/embedded/harness.ts"
import { startServer } from "./command.ts"
import { get, predict, type Target, upload } from "./http.ts"
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
    MODELFORGE_ARTIFACTS_URL: `file:${folder}/artifacts`,
  }
  return { relay, start: startServer({ environment }) }
})

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
