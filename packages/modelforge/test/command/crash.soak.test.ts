import { createHash } from "node:crypto"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { assert, it } from "@effect/vitest"
import { exampleModels } from "@modelforge/example-models"
import { Effect, Exit, Fiber, Schema } from "effect"
import { type Random, random } from "../../../core/test/random.ts"
import * as onnx from "../../../onnx/test/onnxFile.ts"
import { eventually, nothingRunsIn } from "../../../postgres/test/embedded/harness.ts"
import { type RunningServer, sharedFolder, startServer } from "./command.ts"
import { get, send, type Target, upload } from "./http.ts"

const inFull = process.env["MODELFORGE_SOAK"] === "1"
const rounds = inFull ? 100 : 15
const seed = 20

const folder = sharedFolder()
const start = Effect.flatMap(folder, (folder) => startServer({ folder }))

const wine = readFileSync(exampleModels.find(({ name }) => name === "wine")?.file ?? "")

const digestOf = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex")

/** The same model in other bytes each time, in pieces that take some time. */
const bodyOf = (round: number, { int }: Random) => {
  const bytes = onnx.concat(wine, onnx.bytes(6, `round ${round} ${"x".repeat(int(200_000))}`))
  const pieces = 1 + int(8)
  const size = Math.ceil(bytes.length / pieces)
  const stream = async function* () {
    for (let at = 0; at < bytes.length; at += size) {
      yield bytes.subarray(at, at + size)
      await new Promise((resolve) => setTimeout(resolve, int(20)))
    }
  }
  return { digest: digestOf(bytes), stream }
}

const Versions = Schema.Struct({
  items: Schema.Array(Schema.Struct({ version: Schema.Int, digest: Schema.String, state: Schema.String })),
})

const versionsOf = Effect.fnUntraced(function* (target: Target) {
  const { status, json } = yield* get(target, "/v1/models/wine/versions?limit=200")
  return status === 404 ? [] : (yield* Schema.decodeUnknownEffect(Versions)(json)).items
})

const infer = (target: Target, version: number) =>
  send(target, "POST", `/v2/models/wine/versions/${version}/infer`, {
    json: { inputs: [{ name: "features", datatype: "FP32", shape: [1, 13], data: Array(13).fill(1) }] },
  })

/** The version with this digest must be there whole: its bytes, and predictions. */
const assertWhole = Effect.fnUntraced(function* (target: Target, digest: string, version: number) {
  const download = yield* get(target, `/v1/models/wine/versions/${version}/artifact`)
  assert.strictEqual(digestOf(download.bytes), digest)
  // A trial that was cut off is held again.
  const settled = Effect.map(versionsOf(target), (versions) =>
    versions.some((other) => other.version === version && other.state === "ready"),
  )
  yield* Effect.repeat(settled, { until: (ready) => ready }).pipe(Effect.timeout("60 seconds"))
  const answer = yield* infer(target, version)
  assert.strictEqual(answer.status, 200, answer.bytes.toString())
})

const staged = ({ folder }: RunningServer) => readdirSync(`${folder}/.modelforge/artifacts/staging`).length

/** An upload whose server was killed. */
interface CutOff {
  /** For the message of a failure. */
  readonly what: string
  readonly digest: string
  readonly stream: () => AsyncIterable<Uint8Array>
  /** The client had its 201 already. */
  readonly answered: boolean
}

const cutOff = Effect.fnUntraced(function* (server: RunningServer, round: number, generator: Random) {
  const { digest, stream } = bodyOf(round, generator)
  // Any moment; and, because it is short, often that between the artifact's commit and the answer.
  const stored = `${server.folder}/.modelforge/artifacts/sha256/${digest.slice(0, 2)}/${digest}`
  const atCommit = round % 3 === 2
  const wait = generator.int(atCommit ? 15 : 600)
  const uploading = yield* Effect.forkScoped(Effect.exit(upload(server.target, "wine", stream())))
  if (atCommit) yield* eventually("the artifact is stored", () => existsSync(stored))
  yield* Effect.sleep(wait)
  yield* server.signal("SIGKILL")
  const exit = yield* Fiber.join(uploading)
  yield* nothingRunsIn(server.folder)
  const answered = Exit.isSuccess(exit) && exit.value.status === 201
  const since = atCommit ? "its artifact was stored" : "it began"
  const what = `seed ${seed}, round ${round}: killed ${wait} ms after ${since}`
  return { what, digest, stream, answered }
})

/** `kept` are the versions by digest that must be there, and are from now on. */
const checkAfterwards = Effect.fnUntraced(function* (
  { target }: RunningServer,
  { what, digest, stream, answered }: CutOff,
  kept: Map<string, number>,
) {
  const versions = yield* versionsOf(target)
  const found = versions.find((version) => version.digest === digest)
  if (answered) assert.isDefined(found, `${what}: what was answered with 201 is gone`)
  if (found !== undefined) {
    yield* assertWhole(target, digest, found.version)
    kept.set(digest, found.version)
  }
  assert.deepStrictEqual(new Map(versions.map((version) => [version.digest, version.version])), kept, what)
  const again = yield* upload(target, "wine", stream())
  assert.strictEqual(again.status, found === undefined ? 201 : 409, `${what}: uploaded again`)
  const [newest] = yield* versionsOf(target)
  if (found === undefined) kept.set(digest, newest?.version ?? Number.NaN)
  return answered ? "answered" : found === undefined ? "absent" : "committed"
})

it.live(`uploads cut off by kill -9 end whole or not at all (${rounds} rounds)`, () =>
  Effect.gen(function* () {
    const generator = random(seed)
    const kept = new Map<string, number>()
    const outcomes = { answered: 0, committed: 0, absent: 0 }
    let last: CutOff | undefined
    for (let round = 0; round <= rounds; round++) {
      last = yield* Effect.scoped(
        Effect.gen(function* () {
          const server = yield* start
          // One file a crash at most: that which was arriving. It is removed a day later.
          assert.isAtMost(staged(server), round, last?.what)
          if (last !== undefined) outcomes[yield* checkAfterwards(server, last, kept)]++
          return round < rounds ? yield* cutOff(server, round, generator) : undefined
        }),
      )
    }
    if (inFull)
      for (const [outcome, count] of Object.entries(outcomes))
        assert.isAbove(count, 0, `no upload was ${outcome}: the kills are badly timed`)
  }),
)
