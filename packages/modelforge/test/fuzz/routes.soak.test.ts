/**
 * Random and damaged requests over all routes: a seeded slice, 10,000 with MODELFORGE_SOAK=1. Each is answered, by nothing that
 * tells of the inside; the server goes on to predict rightly, and does not grow.
 */
import { assert, it } from "@effect/vitest"
import { wineInputs } from "@modelforge/example-models"
import { Effect } from "effect"
import { random } from "../../../core/test/random.ts"
import * as onnx from "../../../onnx/test/onnxFile.ts"
import { residentMiB, sharedServer } from "../command/command.ts"
import { get, predict, send, type Target, upload } from "../command/http.ts"
import { exchange } from "./HttpWire.ts"
import { wrongWith } from "./oracle.ts"
import { fuzzRequest } from "./requests.ts"

const inFull = process.env["MODELFORGE_SOAK"] === "1"
const rounds = inFull ? 10_000 : 600
/** To repeat a failure, or to look further than others have. */
const firstSeed = Number(process.env["MODELFORGE_SEED"] ?? 0)
const atOnce = 4

/** For everything; it can't be revoked. */
const adminKey = "an-operators-own-key-of-the-fuzz-test"
const headers = { authorization: `Bearer ${adminKey}` }

/** The heap can't hold what would be lost in a tenth of the requests. */
const server = sharedServer({
  args: ["--examples"],
  environment: { NODE_OPTIONS: "--max-old-space-size=192", MODELFORGE_ADMIN_KEY: adminKey },
})

const identity = onnx.identity(onnx.elementType.FP32, ["batch", 2])

/** What the requests are about, as far as they have not deleted it, or put it out of service. */
const restore = Effect.fnUntraced(function* (target: Target) {
  for (const model of ["fuzz", "fuzz-2"]) {
    yield* upload(target, model, identity, headers)
    yield* predict(target, "wine", wineInputs, { headers })
  }
})

/** What was answered, and what was wrong with it. */
const ask = async (port: number, seed: number, valid: ReadonlyArray<string>) => {
  const request = fuzzRequest(random(seed), { port, valid })
  const { answers, end } = await exchange(port, request)
  const wrong: Array<string> = []
  if (end === "hung") wrong.push("no answer in time")
  // A refusal of a body that is not read closes the connection, and with it what was sent behind. While something still is
  // sent, TCP may drop the refusal itself.
  const closes = answers.at(-1)?.headers.get("connection") === "close"
  const dropped = end === "reset" && (request.heads.length > 1 || request.cut !== undefined)
  if (!request.malformed && answers.length < request.heads.length && !closes && !dropped)
    wrong.push("unanswered")
  for (const [index, answer] of answers.entries()) {
    // Where requests can't be told apart, the answers can't either.
    const target = request.malformed ? undefined : request.paths[index]
    const found = wrongWith(target ?? "/", request.heads[index] ?? false, answer)
    if (found !== undefined && (target !== undefined || /^(?:status 500|a leak)/.test(found)))
      wrong.push(`${found} in ${answer.status} ${answer.body.toString().slice(0, 500)}`)
  }
  return {
    statuses: answers.map(({ status }) => status),
    wrong: wrong.map((what) => `seed ${seed}: ${request.told}: ${what}`),
  }
}

it.live(`${rounds} random requests are answered, tell nothing, and leave the server as it was`, () =>
  Effect.gen(function* () {
    const { pid, target, exit, stderr } = yield* server
    const { port } = target as { readonly port: number }
    yield* restore(target)
    const expected = yield* predict(target, "wine", wineInputs, { headers })
    const made = yield* send(target, "POST", "/v1/keys", {
      headers,
      json: { name: "for some", scopes: ["predict", "read"], models: ["wine", "fuzz"] },
    })
    assert.strictEqual(made.status, 201, made.bytes.toString())
    const { secret } = made.json as { readonly secret: string }
    const valid = [adminKey, adminKey, secret]
    const statuses = new Map<number, number>()
    const round = (seed: number) =>
      Effect.promise(async () => {
        const asked = await ask(port, seed, valid)
        wrong.push(...asked.wrong)
        for (const status of asked.statuses) statuses.set(status, (statuses.get(status) ?? 0) + 1)
      })
    const wrong: Array<string> = []
    const resident: Array<number> = []
    const stretch = inFull ? 1000 : rounds / 2
    for (let from = 0; from < rounds; from += stretch) {
      const seeds = Array.from({ length: stretch }, (_, index) => firstSeed + from + index)
      yield* Effect.forEach(seeds, round, { concurrency: atOnce, discard: true }).pipe(
        Effect.raceFirst(
          Effect.flatMap(exit, (code) => Effect.die(new Error(`the server ended with ${code}: ${stderr()}`))),
        ),
      )
      assert.deepStrictEqual(wrong.slice(0, 10), [])
      yield* restore(target)
      assert.deepStrictEqual(yield* predict(target, "wine", wineInputs, { headers }), expected)
      resident.push(residentMiB(pid))
    }
    assert.strictEqual((yield* get(target, "/readyz")).status, 200)
    assert.notMatch(stderr(), /ERROR|Unhandled|Warning: /)
    // Without some of each the requests would prove nothing.
    assert.includeMembers([...statuses.keys()], [200, 400, 401, 403, 404, 405, 415, 422])
    if (inFull) assert.includeMembers([...statuses.keys()], [201, 204, 412, 431])
    const [, second = 0] = resident
    assert.isBelow(resident.at(-1) ?? 0, second + 64, `MiB after each stretch: ${resident.map(Math.round)}`)
    if (inFull)
      process.stdout.write(
        `${JSON.stringify({ statuses: Object.fromEntries(statuses), resident: resident.map(Math.round) })}\n`,
      )
  }),
)
