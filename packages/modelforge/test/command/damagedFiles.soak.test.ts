import { readFileSync } from "node:fs"
import { assert, it } from "@effect/vitest"
import { exampleModels } from "@modelforge/example-models"
import { Effect, Schema } from "effect"
import { random } from "../../../core/test/random.ts"
import { damagedFile } from "../../../onnx/test/damagedFile.ts"
import { sharedServer } from "./command.ts"
import { get, predict, send, type Target, upload } from "./http.ts"

const inFull = process.env["MODELFORGE_SOAK"] === "1"
const rounds = inFull ? 1000 : 100

const server = sharedServer({ args: ["--examples"] })

const wine = { features: [Array.from({ length: 13 }, () => 1)] }

const Problem = Schema.Struct({ type: Schema.String, status: Schema.Int, detail: Schema.NonEmptyString })
const TensorSpec = Schema.Struct({
  name: Schema.String,
  datatype: Schema.String,
  shape: Schema.Array(Schema.Union([Schema.Int, Schema.String])),
})
const Version = Schema.Struct({
  version: Schema.Int,
  state: Schema.String,
  signature: Schema.Struct({ inputs: Schema.Array(TensorSpec) }),
})
const isProblem = Schema.is(Problem)
const isVersion = Schema.is(Version)

/** Zeros for every input that is not too large. */
const zeros = ({ signature }: typeof Version.Type) =>
  signature.inputs.map(({ name, datatype, shape }) => {
    const sizes = shape.map((size) => (typeof size === "number" && size >= 0 ? size : 1))
    const count = Math.min(
      100_000,
      sizes.reduce((product, size) => product * size, 1),
    )
    const element = datatype === "BYTES" ? "" : datatype === "BOOL" ? false : 0
    return { name, datatype, shape: sizes, data: Array.from({ length: count }, () => element) }
  })

/** A model that loads may still fail on inputs, or take its runner along; the server must answer. */
const use = Effect.fnUntraced(function* (target: Target, model: string, version: typeof Version.Type) {
  const path = `/v2/models/${encodeURIComponent(model)}/versions/${version.version}/infer`
  const answer = yield* send(target, "POST", path, { json: { inputs: zeros(version) } })
  assert.include([200, 400, 503], answer.status, answer.bytes.toString())
})

it.live(`${rounds} damaged files never take the server along`, () =>
  Effect.gen(function* () {
    const { pid, target, exit, stderr } = yield* server
    const counts = new Map<string, number>()
    const count = (what: string) => counts.set(what, (counts.get(what) ?? 0) + 1)

    const round = Effect.fnUntraced(function* (seed: number) {
      const model = `damaged-${seed % 10}`
      const answer = yield* upload(target, model, damagedFile(random(seed)))
      const what = `seed ${seed}: ${answer.status} ${answer.bytes.toString().slice(0, 500)}`
      if (answer.status === 201) {
        assert.isTrue(isVersion(answer.json), what)
        const version = Schema.decodeUnknownSync(Version)(answer.json)
        assert.include(["ready", "validating"], version.state, what)
        count(version.state)
        if (version.state === "ready") yield* use(target, model, version)
      } else {
        assert.include([409, 422], answer.status, what)
        assert.isTrue(isProblem(answer.json), what)
        assert.strictEqual(answer.headers["content-type"], "application/problem+json", what)
        assert.notMatch(answer.bytes.toString(), /\/tmp\/|node_modules|\.ts:/, what)
        count(String(answer.status))
      }
    })
    const seeds = Array.from({ length: rounds }, (_, seed) => seed)
    yield* Effect.forEach(seeds, round, { concurrency: 4, discard: true }).pipe(
      Effect.raceFirst(
        Effect.flatMap(exit, (code) => Effect.die(new Error(`the server ended with ${code}: ${stderr()}`))),
      ),
    )

    assert.isAbove(counts.get("ready") ?? 0, 0, "no file came through: the damage is too heavy")
    assert.isAbove(counts.get("422") ?? 0, 0, "no file was refused: the damage is too light")
    process.kill(pid, 0)
    assert.strictEqual((yield* get(target, "/readyz")).status, 200)
    yield* predict(target, "wine", wine)
    for (const { file, name } of exampleModels)
      assert.strictEqual((yield* upload(target, name, readFileSync(file))).status, 409)
    assert.notMatch(stderr(), /ERROR/)
  }),
)
