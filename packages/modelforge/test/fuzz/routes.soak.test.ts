/**
 * Random and damaged requests over all routes: a seeded slice, 10,000 with MODELFORGE_SOAK=1. Each is answered, by nothing that
 * tells of the inside; the server goes on to predict rightly, and does not grow. Most are about what is there, and were right
 * before they were damaged.
 */
import { assert, it } from "@effect/vitest"
import { wineInputs } from "@modelforge/example-models"
import { Effect } from "effect"
import { random } from "../../../core/test/random.ts"
import { residentMiB, sharedServer } from "../command/command.ts"
import { get, predict, send } from "../command/http.ts"
import { operations } from "./contract.ts"
import { FuzzWorld } from "./FuzzWorld.ts"
import { exchange } from "./HttpWire.ts"
import { wrongWith } from "./oracle.ts"
import { fuzzRequest, pickOperation } from "./requests.ts"

const inFull = process.env["MODELFORGE_SOAK"] === "1"
const rounds = inFull ? 10_000 : 600
/** To repeat a failure, or to look further than others have. */
const firstSeed = Number(process.env["MODELFORGE_SEED"] ?? 0)
const atOnce = 4
/** After so many requests, what they used up is made anew. */
const stretch = 200

/** For everything; it can't be revoked. */
const adminKey = "an-operators-own-key-of-the-fuzz-test"
const headers = { authorization: `Bearer ${adminKey}` }

/** The heap can't hold what would be lost in a tenth of the requests. */
const server = sharedServer({
  args: ["--examples"],
  environment: { NODE_OPTIONS: "--max-old-space-size=192", MODELFORGE_ADMIN_KEY: adminKey },
})

/** How often each operation, or something that is none, was answered with each status. */
class Distribution {
  readonly #counts = new Map<string, Map<number, number>>()
  count(operation: string, status: number) {
    const statuses = this.#counts.get(operation) ?? new Map<number, number>()
    statuses.set(status, (statuses.get(status) ?? 0) + 1)
    this.#counts.set(operation, statuses)
  }
  get statuses() {
    return new Set([...this.#counts.values()].flatMap((statuses) => [...statuses.keys()]))
  }
  succeeded(operation: string) {
    return [...(this.#counts.get(operation)?.keys() ?? [])].some((status) => status < 400)
  }
  toString() {
    return [...this.#counts]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, statuses]) => {
        const told = [...statuses].sort(([a], [b]) => a - b).map(([status, count]) => `${status}×${count}`)
        return `${name.padEnd(40)} ${told.join(" ")}`
      })
      .join("\n")
  }
}

it.live(`${rounds} random requests are answered, tell nothing, and leave the server as it was`, () =>
  Effect.gen(function* () {
    const { pid, target, exit, stderr } = yield* server
    const { port } = target as { readonly port: number }
    const world = new FuzzWorld(target, headers)
    yield* world.restore
    const expected = yield* predict(target, "wine", wineInputs, { headers })
    const made = yield* send(target, "POST", "/v1/keys", {
      headers,
      json: { name: "for some", scopes: ["predict", "read"], models: ["wine", "fuzz"] },
    })
    assert.strictEqual(made.status, 201, made.bytes.toString())
    const { secret } = made.json as { readonly secret: string }
    const distribution = new Distribution()
    const wrong: Array<string> = []

    const round = Effect.fnUntraced(function* (seed: number) {
      const dice = random(seed)
      const count = dice.int(15) === 0 ? 2 + dice.int(4) : 1
      const valid = yield* Effect.forEach(Array.from({ length: count }), () =>
        world.valid(pickOperation(dice), dice, seed),
      )
      const request = fuzzRequest(valid, { port, valid: [adminKey, adminKey, secret] }, dice)
      const { answers, end } = yield* Effect.promise(() => exchange(port, request))
      const tell = (what: string) => wrong.push(`seed ${seed}: ${request.told}: ${what}`)
      if (end === "hung") tell("no answer in time")
      // A refusal of a body that is not read closes the connection, and with it what was sent behind. While something still is
      // sent, TCP may drop the refusal itself.
      const closes = answers.at(-1)?.headers.get("connection") === "close"
      const dropped = end === "reset" && (request.heads.length > 1 || request.cut !== undefined)
      if (!request.malformed && answers.length < request.heads.length && !closes && !dropped)
        tell("unanswered")
      for (const [index, answer] of answers.entries()) {
        // Where requests can't be told apart, the answers can't either.
        const path = request.malformed ? undefined : request.paths[index]
        distribution.count((path && request.operations[index]) ?? "another method or path", answer.status)
        const found = wrongWith(path ?? "/", request.heads[index] ?? false, answer)
        if (found !== undefined && (path !== undefined || /^(?:status 500|a leak)/.test(found)))
          tell(`${found} in ${answer.status} ${answer.body.toString().slice(0, 500)}`)
      }
      yield* Effect.forEach(valid, ({ after }) => after ?? Effect.void, { discard: true })
    })

    const resident: Array<number> = []
    for (let from = 0; from < rounds; from += stretch) {
      const seeds = Array.from({ length: stretch }, (_, index) => firstSeed + from + index)
      yield* Effect.forEach(seeds, round, { concurrency: atOnce, discard: true }).pipe(
        Effect.raceFirst(
          Effect.flatMap(exit, (code) => Effect.die(new Error(`the server ended with ${code}: ${stderr()}`))),
        ),
      )
      assert.deepStrictEqual(wrong.slice(0, 10), [])
      yield* world.restore
      assert.deepStrictEqual(yield* predict(target, "wine", wineInputs, { headers }), expected)
      resident.push(residentMiB(pid))
    }
    if (inFull) process.stdout.write(`${distribution}\nMiB: ${resident.map(Math.round)}\n`)
    assert.strictEqual((yield* get(target, "/readyz")).status, 200)
    assert.notMatch(stderr(), /ERROR|Unhandled|Warning: /)
    // Without some of each the requests would prove nothing.
    assert.includeMembers([...distribution.statuses], [200, 201, 204, 400, 401, 403, 404, 405, 409, 415, 422])
    if (inFull) assert.includeMembers([...distribution.statuses], [304, 412, 431])
    const failed = operations.map(({ id }) => id).filter((id) => !distribution.succeeded(id))
    assert.isAtMost(failed.length, inFull ? 0 : operations.length / 5, `never successful: ${failed}`)
    // After 2,000 requests, or the second stretch of a slice, caches and threads have filled.
    const settled = resident[Math.max(1, Math.floor(resident.length / 5) - 1)] ?? 0
    assert.isBelow(resident.at(-1) ?? 0, settled + 64, `MiB after each stretch: ${resident.map(Math.round)}`)
  }),
)
