import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { type Ask, ask, FakeInference, inferRoute, predictRoute } from "./FakeInference.ts"

const good = { inputs: { x: [[1, 2]] } }
const goodV2 = { inputs: [{ name: "x", datatype: "FP32", shape: [1, 2], data: [1, 2] }] }

const open = Effect.gen(function* () {
  const inference = new FakeInference()
  const dataPlane = yield* inference.dataPlane()
  return {
    inference,
    ask: (body: unknown, options?: Ask) => Effect.promise(() => ask(dataPlane, body, options)),
  }
})

it.effect("a prediction goes to the version that the path or the body names", () =>
  Effect.gen(function* () {
    const { ask, inference } = yield* open
    yield* ask(good)
    yield* ask({ ...good, version: 7 })
    yield* ask({ ...good, version: "canary" })
    yield* ask(goodV2, { route: { ...inferRoute, version: "2" } })
    // Where a place was reserved for one without a version, and what the body named then.
    assert.deepStrictEqual(inference.routed, [
      "digits",
      "digits",
      "digits/7",
      "digits",
      "digits/canary",
      "digits/2",
    ])
  }),
)

it.effect("is told from others by the header that the traffic policy names, where no version is named", () =>
  Effect.gen(function* () {
    const { ask, inference } = yield* open
    const headers = { "x-user": ["ada", "eve"] }
    yield* ask(good, { headers })
    inference.stickyHeader = "x-user"
    yield* ask(good, { headers })
    yield* ask(goodV2, { route: inferRoute, headers })
    yield* ask(good)
    yield* ask(goodV2, { route: { ...inferRoute, version: "2" }, headers })
    assert.deepStrictEqual(inference.routed, ["digits", "digits#ada", "digits#ada", "digits", "digits/2"])
  }),
)

it.effect("a prediction goes elsewhere when the version it had a place for takes no requests any more", () =>
  Effect.gen(function* () {
    const { ask, inference } = yield* open
    inference.isServed = false
    for (const [body, route] of [
      [good, predictRoute],
      [goodV2, inferRoute],
    ] as const)
      assert.strictEqual((yield* ask(body, { route })).status, 200)
    assert.deepStrictEqual(inference.routed, ["digits", "digits", "digits", "digits"])
  }),
)
