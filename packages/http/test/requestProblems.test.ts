import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { body, isProblem } from "./handlers/problems.ts"
import { json, mountWeb, withModel } from "./Mount.ts"

describe("a body with a member that is not known", () => {
  it.effect("is refused on every management call, saying which and what is known", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      yield* withModel(mount, "digits", ["floats"])
      for (const [path, init, member, known] of [
        [
          "/v1/models",
          json({ name: "x", descriptoin: "" }),
          "descriptoin",
          /"name", "description", "tags", "labels"$/,
        ],
        ["/v1/models/digits", json({ name: "x" }, "PATCH"), "name", /"description", "tags", "labels"$/],
        ["/v1/models/digits/config", json({ instance: 1 }, "PUT"), "instance", /"instances"/],
        [
          "/v1/models/digits/config",
          json({ batching: { maxDelay: 1 } }, "PUT"),
          "batching.maxDelay",
          /"maxBatchSize", "maxDelayMs"$/,
        ],
        [
          "/v1/models/digits/versions/1",
          json({ description: "", state: "x" }, "PATCH"),
          "state",
          /"description"$/,
        ],
        [
          "/v1/models/digits/aliases/a",
          json({ version: 1, note: "" }, "PUT"),
          "note",
          /"version", "reason"$/,
        ],
        ["/v1/models/digits/aliases/a/rollback", json({ why: "" }), "why", /"reason"$/],
        [
          "/v1/models/digits/traffic",
          json({ split: [{ version: 1, weight: 100, share: 1 }] }, "PUT"),
          "split.0.share",
          /"version", "weight"$/,
        ],
      ] as const) {
        const answer = yield* mount.call(path, init)
        isProblem(answer, 422, "invalid-request")
        const { errors } = body(answer) as { errors: ReadonlyArray<{ path: string; message: string }> }
        const error = errors.find((one) => one.path === member)
        assert.match(error?.message ?? "", known, answer.text)
        assert.match(error?.message ?? "", /^there is no such member: known are /)
      }
    }),
  )

  it.effect("is told all that is wrong at once, but no thousands", () =>
    Effect.gen(function* () {
      const { call } = yield* mountWeb()
      const two = yield* call("/v1/models", json({ name: "Bad Name", tag: [] }))
      assert.sameMembers(
        (body(two)["errors"] as ReadonlyArray<{ path: string }>).map(({ path }) => path),
        ["name", "tag"],
      )
      const many = Object.fromEntries(Array.from({ length: 5000 }, (_, n) => [`${n}${"m".repeat(100)}`, n]))
      const answer = yield* call("/v1/models", json({ name: "x", ...many }))
      isProblem(answer, 422, "invalid-request")
      assert.isBelow(answer.text.length, 20_000)
    }),
  )

  it.effect("is no trouble to a prediction: clients of V2 send members of their own", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      yield* withModel(mount, "digits")
      const predict = json({ inputs: { x: [[1, 2]] }, client: "mine" })
      assert.strictEqual((yield* mount.call("/v1/models/digits/predict", predict)).status, 200)
      const input = { name: "x", datatype: "FP32", shape: [1, 2], data: [1, 2], mine: true }
      const infer = json({ inputs: [input], mine: true })
      assert.strictEqual((yield* mount.call("/v2/models/digits/infer", infer)).status, 200)
    }),
  )
})
