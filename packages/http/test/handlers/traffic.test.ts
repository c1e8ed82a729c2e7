import { setImmediate } from "node:timers/promises"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type Answer, json, type Mount, mountWeb, onnx, upload, withModel } from "../Mount.ts"
import { body, isProblem } from "./problems.ts"

const traffic = "/v1/models/digits/traffic"
const production = "/v1/models/digits/aliases/production"
const put = (value: unknown) => json(value, "PUT")
const remove = { method: "DELETE" }

const half = {
  split: [
    { version: 1, weight: 50 },
    { version: 2, weight: 50 },
  ],
}

const withVersions = Effect.fnUntraced(function* (...signatures: ReadonlyArray<string>) {
  const mount = yield* mountWeb()
  yield* withModel(mount, "digits", signatures)
  return mount
})

const predict = ({ call }: Pick<Mount, "call">, headers: Record<string, string> = {}) =>
  call("/v1/models/digits/predict", {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ inputs: { x: [[1, 2]] } }),
  })

const infer = ({ call }: Pick<Mount, "call">, headers: Record<string, string> = {}) =>
  call("/v2/models/digits/infer", {
    method: "POST",
    headers,
    body: JSON.stringify({ inputs: [{ name: "x", datatype: "FP32", shape: [1, 2], data: [1, 2] }] }),
  })

const versionOf = (answer: Answer) => {
  assert.strictEqual(answer.status, 200, answer.text)
  return Number(answer.headers.get("modelforge-model-version"))
}

describe("traffic", () => {
  it.effect("policies are set, read, shown by the model, and removed", () =>
    Effect.gen(function* () {
      const { call } = yield* withVersions("floats", "floats")
      const shown = Effect.map(call("/v1/models/digits"), (found) => body(found)["traffic"])
      isProblem(yield* call(traffic), 404, "traffic-not-found", { model: "digits" })
      assert.isNull(yield* shown)
      yield* call("/v1/models/digits/aliases/canary", put({ version: 2 }))
      const policy = {
        split: [
          { version: 1, weight: 90 },
          { version: "canary", weight: 10 },
        ],
        sticky: "header:X-User",
        rollback: { errorRate: 0.1, windowSeconds: 60, minRequests: 20, latencyMs: 50 },
      }
      const set = yield* call(traffic, put({ ...policy, reason: "try it" }))
      assert.strictEqual(set.status, 200, set.text)
      const { updatedAt, ...rest } = body(set)
      assert.match(String(updatedAt), /^\d{4}-\d\d-\d\dT/)
      assert.deepStrictEqual(rest, { ...policy, revision: 1, updatedBy: null })
      assert.deepStrictEqual((yield* call(traffic)).json, set.json)
      assert.deepStrictEqual(yield* shown, set.json)
      assert.strictEqual((yield* call(traffic, remove)).status, 204)
      assert.isNull(yield* shown)
      isProblem(yield* call(traffic, remove), 404, "traffic-not-found")
      const { items, nextCursor } = body(yield* call(`${traffic}/history?limit=1`))
      assert.deepNestedInclude({ items }, { "items[0].revision": 2, "items[0].policy": null })
      const older = body(yield* call(`${traffic}/history?cursor=${nextCursor}`))["items"]
      assert.deepNestedInclude(
        { older },
        { "older[0].from": null, "older[0].policy": policy, "older[0].reason": "try it" },
      )
    }),
  )

  it.effect("what is no policy is refused, with words", () =>
    Effect.gen(function* () {
      const { call } = yield* withVersions("floats", "floats")
      const one = { version: 1, weight: 100 }
      const refusals: ReadonlyArray<readonly [unknown, RegExp]> = [
        [{}, /split/],
        [{ split: [] }, /split/],
        [{ split: [{ version: 1, weight: 99 }] }, /split: the weights of a split sum to 100/],
        [
          {
            split: [
              { version: 1, weight: 50.5 },
              { version: 2, weight: 49.5 },
            ],
          },
          /weight/,
        ],
        [
          {
            split: [
              { version: 1, weight: -1 },
              { version: 2, weight: 101 },
            ],
          },
          /weight/,
        ],
        [
          {
            split: [
              { version: 1, weight: 50 },
              { version: 1, weight: 50 },
            ],
          },
          /names each version once/,
        ],
        [{ split: [{ version: "UPPER", weight: 100 }] }, /version/],
        [{ split: [one], sticky: "cookie:a" }, /sticky/],
        [{ split: [one], sticky: "header:a b" }, /sticky/],
        [{ split: [one], rollback: { errorRate: 2, windowSeconds: 60, minRequests: 1 } }, /errorRate/],
        [{ split: [one], rollback: { errorRate: 0.1, windowSeconds: 60 } }, /minRequests/],
        [{ split: [one], mirror: 1 }, /mirror/],
      ]
      for (const [policy, detail] of refusals)
        isProblem(yield* call(traffic, put(policy)), 422, "invalid-request", { detail })
      const other = "/v1/models/other/traffic"
      isProblem(yield* call(other, put(half)), 404, "model-not-found")
      for (const init of [{}, remove]) isProblem(yield* call(other, init), 404, "model-not-found")
      isProblem(yield* call(`${other}/history`), 404, "model-not-found")
      isProblem(yield* call(traffic, put({ split: [{ version: 9, weight: 100 }] })), 404, "version-not-found")
      isProblem(
        yield* call(traffic, put({ split: [{ version: "beta", weight: 100 }] })),
        404,
        "version-not-found",
      )
      yield* call("/v1/models/digits/versions/2/archive", { method: "POST" })
      isProblem(yield* call(traffic, put(half)), 409, "version-conflict", {
        version: 2,
        detail: /is archived/,
      })
    }),
  )

  it.effect("versions that callers of another may fail with are split to only by force", () =>
    Effect.gen(function* () {
      const { call } = yield* withVersions("floats", "word")
      const refused = yield* call(traffic, put(half))
      isProblem(refused, 409, "incompatible-split", { model: "digits", from: 1, to: 2, detail: /force=true/ })
      assert.isNotEmpty(body(refused)["differences"])
      assert.strictEqual((yield* call(`${traffic}?force=true`, put(half))).status, 200)
    }),
  )

  it.effect("what a policy names can't be deleted, and production moves only with clearTraffic", () =>
    Effect.gen(function* () {
      const { call } = yield* withVersions("floats", "floats", "floats")
      yield* call("/v1/models/digits/aliases/canary", put({ version: 3 }))
      const split = [
        { version: 2, weight: 90 },
        { version: "canary", weight: 10 },
      ]
      yield* call(traffic, put({ split }))
      isProblem(yield* call("/v1/models/digits/versions/2", remove), 409, "version-conflict", {
        detail: /traffic policy/,
      })
      isProblem(
        yield* call("/v1/models/digits/versions/2/archive", { method: "POST" }),
        409,
        "version-conflict",
        { detail: /traffic policy/ },
      )
      isProblem(yield* call("/v1/models/digits/aliases/canary", remove), 409, "traffic-conflict", {
        detail: /"canary"/,
      })
      isProblem(yield* call(production, put({ version: 1 })), 409, "traffic-conflict", {
        model: "digits",
        detail: /clearTraffic=true/,
      })
      isProblem(
        yield* call("/v1/models/digits/versions?alias=production", upload(onnx("floats", "late"))),
        409,
        "traffic-conflict",
      )
      assert.strictEqual((yield* call(`${production}?clearTraffic=true`, put({ version: 1 }))).status, 200)
      isProblem(yield* call(traffic), 404, "traffic-not-found")
      // And back: a rollback is a move.
      yield* call(production, put({ version: 2 }))
      yield* call(traffic, put({ split }))
      isProblem(yield* call(`${production}/rollback`, { method: "POST" }), 409, "traffic-conflict")
    }),
  )

  it.effect("requests without a version are split, others are not", () =>
    Effect.gen(function* () {
      const mount = yield* withVersions("floats", "floats", "floats")
      yield* mount.call(production, put({ version: 3 }))
      yield* mount.call(traffic, put(half))
      for (const ask of [predict, infer]) {
        const seen = new Set<number>()
        for (let i = 0; i < 64; i++) seen.add(versionOf(yield* ask(mount)))
        assert.deepStrictEqual([...seen].sort(), [1, 2])
      }
      const named = yield* mount.call(
        "/v1/models/digits/predict",
        json({ inputs: { x: [[1, 2]] }, version: "production" }),
      )
      assert.strictEqual(versionOf(named), 3)
    }),
  )

  it.effect("callers are told by the header that the policy names, whatever its case", () =>
    Effect.gen(function* () {
      const mount = yield* withVersions("floats", "floats")
      yield* mount.call(traffic, put({ ...half, sticky: "header:X-User" }))
      const seen = new Set<number>()
      for (let i = 0; i < 20; i++) {
        const headers = { "x-USER": `user ${i}`, "x-other": String(Math.random()) }
        const version = versionOf(yield* predict(mount, headers))
        seen.add(version)
        for (const ask of [predict, infer, infer])
          assert.strictEqual(versionOf(yield* ask(mount, headers)), version)
      }
      assert.strictEqual(seen.size, 2)
      const without = new Set<number>()
      for (let i = 0; i < 64; i++) without.add(versionOf(yield* predict(mount)))
      assert.strictEqual(without.size, 2)
      yield* mount.call(traffic, put({ ...half, sticky: "none" }))
      const none = new Set<number>()
      for (let i = 0; i < 64; i++) none.add(versionOf(yield* predict(mount, { "x-user": "ada" })))
      assert.strictEqual(none.size, 2)
    }),
  )

  it.effect("a shadow answers nobody, and is reported", () =>
    Effect.gen(function* () {
      const mount = yield* withVersions("floats", "floats", "word")
      const { call } = mount
      const split = [{ version: 1, weight: 100 }]
      isProblem(yield* call(`${traffic}/shadow`), 404, "traffic-not-found")
      const unknown = { split, shadow: [{ version: 9, percent: 1 }] }
      isProblem(yield* call(traffic, put(unknown)), 404, "version-not-found")
      for (const shadow of [
        [{ version: 2, percent: 101 }],
        [
          { version: 2, percent: 1 },
          { version: 2, percent: 1 },
        ],
      ])
        isProblem(yield* call(traffic, put({ split, shadow })), 422, "invalid-request", { detail: /shadow/ })
      // Signatures are not compared: nobody gets its answers. Version 3 does not take these inputs.
      const shadow = [
        { version: 2, percent: 100 },
        { version: 3, percent: 100 },
      ]
      assert.strictEqual((yield* call(traffic, put({ split, shadow }))).status, 200)
      isProblem(yield* call("/v1/models/digits/versions/2", remove), 409, "version-conflict")
      for (const ask of [predict, infer]) assert.strictEqual(versionOf(yield* ask(mount)), 1)
      // A turn of the event loop between: the in-process server leaves none by itself.
      const reports = Effect.andThen(
        Effect.promise(() => setImmediate()),
        Effect.map(call(`${traffic}/shadow`), ({ json }) => json),
      )
      interface Report {
        readonly items: ReadonlyArray<{ readonly compared: number; readonly errors: number }>
      }
      // Behind the answers, and not behind all of them: what there is no room for is dropped.
      const settled = yield* Effect.repeat(Effect.andThen(predict(mount), reports), {
        until: (found) => {
          const [same, other] = (found as Report).items
          return (same?.compared ?? 0) >= 2 && (other?.errors ?? 0) >= 2
        },
      })
      assert.deepNestedInclude(settled, {
        "items[0].version": 2,
        "items[0].errors": 0,
        "items[0].difference": { max: 0, mean: 0 },
        "items[1].version": 3,
        "items[1].compared": 0,
      })
    }),
  )

  it.effect("policies, archivings and moves under load fail no request", () =>
    Effect.gen(function* () {
      const mount = yield* withVersions("floats", "floats", "floats")
      const { call } = mount
      let changing = true
      const load = Effect.gen(function* () {
        let answered = 0
        while (changing) {
          for (const ask of [predict, infer]) versionOf(yield* ask(mount))
          answered++
        }
        return answered
      })
      const changes = Effect.gen(function* () {
        for (let round = 0; round < 10; round++) {
          const other = 2 + (round % 2)
          yield* call(
            traffic,
            put({
              split: [
                { version: 1, weight: 30 },
                { version: other, weight: 70 },
              ],
            }),
          )
          yield* call(`/v1/models/digits/versions/${5 - other}/archive`, { method: "POST" })
          yield* call(`${production}?clearTraffic=true`, put({ version: other }))
          yield* call(`/v1/models/digits/versions/${5 - other}/restore`, { method: "POST" })
        }
        changing = false
      })
      const [, ...answered] = yield* Effect.all([changes, load, load, load], { concurrency: "unbounded" })
      assert.isTrue(answered.every((count) => Number(count) > 0))
    }),
  )
})
