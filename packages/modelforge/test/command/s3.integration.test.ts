import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { assert, it } from "@effect/vitest"
import { exampleModels, wineInputs } from "@modelforge/example-models"
import { Effect } from "effect"
import { eventually, open, temporaryFolder } from "../../../postgres/test/embedded/harness.ts"
import { S3Stub, startS3rver } from "../../../s3/test/servers.ts"
import { startCommand, startServer } from "./command.ts"
import { get, predict, type Target, upload } from "./http.ts"
import { startRelay } from "./relay.ts"

const wine = readFileSync(exampleModels.find(({ name }) => name === "wine")?.file ?? "")

const environmentOf = (port: number) => ({
  AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
  AWS_REGION: "us-east-1",
  AWS_ACCESS_KEY_ID: "S3RVER",
  AWS_SECRET_ACCESS_KEY: "S3RVER",
  MODELFORGE_ARTIFACTS_URL: "s3://models/some/prefix",
})

const labelOf = (target: Target) =>
  Effect.map(predict(target, "wine", wineInputs), ({ outputs }) => outputs["label"])

const cached = (folder: string) =>
  readdirSync(`${folder}/.modelforge/artifact-cache/sha256`, { recursive: true })
    .map(String)
    .filter((name) => name.length > 64)
    .map((name) => `${folder}/.modelforge/artifact-cache/sha256/${name}`)

it.live("models are kept in S3, and served from a cache that is mended when it is damaged", () =>
  Effect.gen(function* () {
    const environment = environmentOf(yield* startS3rver)
    const folder = yield* temporaryFolder
    const restarted = <A, E, R>(use: (target: Target) => Effect.Effect<A, E, R>) =>
      Effect.scoped(
        Effect.gen(function* () {
          const server = yield* startServer({ environment, folder })
          yield* use(server.target)
          yield* server.signal("SIGINT")
          assert.strictEqual(yield* server.exit, 0, server.stderr())
          return server.stderr()
        }),
      )
    yield* restarted((target) =>
      Effect.gen(function* () {
        assert.strictEqual((yield* upload(target, "wine", wine)).status, 201)
        assert.deepStrictEqual(yield* labelOf(target), [0])
      }),
    )
    assert.isFalse(existsSync(`${folder}/.modelforge/artifacts`))
    assert.lengthOf(cached(folder), 1)
    const [copy = ""] = cached(folder)
    writeFileSync(copy, Buffer.alloc(wine.length, 7))
    const log = yield* restarted((target) =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* labelOf(target), [0])
        assert.isTrue((yield* get(target, "/v1/models/wine/versions/1/artifact")).bytes.equals(wine))
      }),
    )
    assert.include(log, "is damaged and is fetched again")
    assert.isTrue(readFileSync(copy).equals(wine))
  }),
)

it.live("two servers share a database and a bucket: what one takes, the other serves", () =>
  Effect.gen(function* () {
    const folder = yield* temporaryFolder
    const { socketPath } = yield* open({ dataDirectory: `${folder}/postgres`, settings: { fsync: "off" } })
    const relay = yield* startRelay(socketPath)
    const environment = {
      ...environmentOf(yield* new S3Stub().start),
      DATABASE_URL: `postgres://postgres@127.0.0.1:${relay.port}/postgres`,
      SECRET_KEY: "a secret that both servers share, long enough",
    }
    const one = yield* startServer({ environment })
    assert.strictEqual((yield* upload(one.target, "wine", wine)).status, 201)
    const two = yield* startServer({ environment })
    assert.deepStrictEqual(yield* labelOf(two.target), [0])
    assert.lengthOf(cached(two.folder), 1)
  }),
)

it.live("an S3 that can't be used ends the command with what to do", () =>
  Effect.gen(function* () {
    const stub = new S3Stub()
    const environment = environmentOf(yield* stub.start)
    const cases = [
      [{ AWS_REGION: "" }, /S3 needs a region: set AWS_REGION/],
      [
        { AWS_ACCESS_KEY_ID: "", AWS_EC2_METADATA_DISABLED: "true" },
        /there are no credentials for S3: set AWS/,
      ],
    ] as const
    const folder = yield* temporaryFolder
    for (const [missing, said] of cases) {
      const command = yield* startCommand({
        folder,
        environment: { ...environment, HOME: "/nonexistent", ...missing },
      })
      assert.strictEqual(yield* command.exit, 1, command.stderr())
      assert.match(command.stderr(), said)
    }
  }),
)

it.live("kill -9 during an upload to S3 leaves every version that exists with its artifact", () =>
  Effect.gen(function* () {
    const stub = new S3Stub()
    const environment = environmentOf(yield* stub.start)
    const folder = yield* temporaryFolder
    // Before the object is there, and once it is: the row comes right after.
    for (const stored of [false, true])
      yield* Effect.scoped(
        Effect.gen(function* () {
          const server = yield* startServer({ environment, folder })
          const never = new Promise<void>(() => {})
          stub.fault = (request) => (request.startsWith("PUT") && !stored ? { wait: never } : undefined)
          yield* Effect.forkScoped(Effect.exit(upload(server.target, "wine", wine)))
          yield* eventually("S3 is asked", () => (stored ? stub.objects.size > 0 : stub.count(/^PUT/) > 0))
          yield* server.signal("SIGKILL")
          yield* server.exit
        }),
      )
    stub.fault = () => undefined
    const server = yield* startServer({ environment, folder })
    const { status } = yield* upload(server.target, "wine", wine)
    assert.include([201, 409], status)
    assert.isTrue((yield* get(server.target, "/v1/models/wine/versions/1/artifact")).bytes.equals(wine))
    assert.deepStrictEqual(yield* labelOf(server.target), [0])
  }),
)
