import { assert, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import { TestClock } from "effect/testing"
import type { Tensors } from "../../src/model/Tensor.ts"
import { VersionNumber } from "../../src/model/Version.ts"
import type { Route } from "../../src/registry/Route.ts"
import { RoutingTable } from "../../src/registry/RoutingTable.ts"
import { TrafficPolicies } from "../../src/registry/TrafficPolicies.ts"
import { ShadowTraffic } from "../../src/traffic/ShadowTraffic.ts"
import { World } from "../fakes.ts"
import { model, push } from "../registry/uploading.ts"

const v = (version: number) => VersionNumber.make(version)
const settled = TestClock.adjust(0)

const tensors = (name: string, ...values: ReadonlyArray<number>): Tensors => ({
  [name]: { datatype: "FP32", shape: [values.length], data: Float32Array.from(values) },
})
const answerOf = (outputs: Tensors, computeMs = 1, queueMs = 0) => ({ outputs, computeMs, queueMs })

/** Version 1 of `digits` is asked, version 2 shadows it. */
const shadowing = <A, E, R>(
  percent: number,
  use: (
    shadow: ShadowTraffic["Service"],
    primary: Route,
    to: (version: number) => Route,
  ) => Effect.Effect<A, E, R>,
) =>
  Effect.gen(function* () {
    const world = yield* World.make()
    return yield* world.open(
      Effect.gen(function* () {
        for (const name of ["one", "two", "three"]) yield* push(name)
        yield* TrafficPolicies.use((policies) =>
          policies.set(model, {
            split: [{ version: v(1), weight: 100 }],
            shadow: [{ version: v(2), percent }],
          }),
        )
        const routing = yield* RoutingTable
        const to = (version: number) => Result.getOrThrow(routing.resolve(model, String(version)))
        return yield* use(yield* ShadowTraffic, to(1), to)
      }),
    )
  })

it.effect("runs what was answered again, and reports how far the answers and the times are apart", () =>
  shadowing(100, (shadow, primary) =>
    Effect.gen(function* () {
      assert.isTrue(shadow.shadows(model))
      assert.isFalse(shadow.shadows("letters"))
      const asked: Array<unknown> = []
      for (const [difference, ms] of [
        [0.5, 10],
        [0.25, 20],
      ] as const)
        shadow.offer(
          primary,
          tensors("x", 1, 2),
          answerOf(tensors("y", 1, 1), ms / 10),
          async (route, inputs, names) => {
            asked.push([Number(route.version), inputs, names])
            return answerOf(tensors("y", 1 + difference, 1), ms)
          },
        )
      yield* settled
      assert.deepStrictEqual(asked, [
        [2, tensors("x", 1, 2), ["y"]],
        [2, tensors("x", 1, 2), ["y"]],
      ])
      const [report, ...others] = shadow.reports(model)
      assert.strictEqual(others.length, 0)
      const { since: _, ...rest } = report ?? assert.fail("no report")
      assert.deepStrictEqual(rest, {
        version: v(2),
        compared: 2,
        errors: 0,
        dropped: 0,
        unlike: 0,
        window: 2,
        difference: { max: 0.5, mean: 0.375 },
        unequal: null,
        primaryMs: { p50: 1, p95: 2, p99: 2 },
        shadowMs: { p50: 10, p95: 20, p99: 20 },
      })
    }),
  ),
)

it.effect("its tensors are its own: what callers do to theirs afterwards changes nothing", () =>
  shadowing(100, (shadow, primary) =>
    Effect.gen(function* () {
      const gate = Promise.withResolvers<void>()
      const x = Float32Array.of(1)
      const y = Float32Array.of(1)
      let seen: Tensors = {}
      shadow.offer(
        primary,
        { x: { datatype: "FP32", shape: [1], data: x } },
        answerOf({ y: { datatype: "FP32", shape: [1], data: y } }),
        async (_route, inputs) => {
          await gate.promise
          seen = inputs
          return answerOf(tensors("y", 1))
        },
      )
      x[0] = 7
      y[0] = 7
      gate.resolve()
      yield* settled
      assert.deepStrictEqual(seen, tensors("x", 1))
      assert.deepStrictEqual(shadow.reports(model)[0]?.difference, { max: 0, mean: 0 })
    }),
  ),
)

it.effect("a shadow that fails, or does not take the inputs, is an error and not more", () =>
  shadowing(100, (shadow, primary) =>
    Effect.gen(function* () {
      shadow.offer(primary, tensors("x", 1), answerOf(tensors("y", 1)), () => Promise.reject(new Error("no")))
      shadow.offer(primary, tensors("x", 1), answerOf(tensors("y", 1)), async () => answerOf({}))
      yield* settled
      assert.deepInclude(shadow.reports(model)[0], { errors: 1, compared: 1, unlike: 1, difference: null })
    }),
  ),
)

it.effect("what there is no room for is dropped, and counted", () =>
  shadowing(100, (shadow, primary) =>
    Effect.gen(function* () {
      let runs = 0
      const never = () => {
        runs++
        return new Promise<never>(() => {})
      }
      // Others wait, or it is too large.
      shadow.offer(primary, tensors("x", 1), answerOf(tensors("y", 1), 1, 7), never)
      const large = { x: { datatype: "UINT8", shape: [9e6], data: new Uint8Array(9e6) } } as const
      shadow.offer(primary, large, answerOf(tensors("y", 1)), never)
      assert.strictEqual(runs, 0)
      for (let i = 0; i < 10; i++) shadow.offer(primary, tensors("x", 1), answerOf(tensors("y", 1)), never)
      yield* settled
      assert.strictEqual(runs, 4)
      assert.deepInclude(shadow.reports(model)[0], { compared: 0, dropped: 8 })
    }),
  ),
)

it.effect("a percentage is run again, and never what the shadow itself answered", () =>
  shadowing(20, (shadow, primary, to) =>
    Effect.gen(function* () {
      let runs = 0
      const run = async () => {
        runs++
        return answerOf(tensors("y", 1))
      }
      for (let i = 0; i < 200; i++) shadow.offer(to(2), tensors("x", 1), answerOf(tensors("y", 1)), run)
      assert.strictEqual(runs, 0)
      for (let i = 0; i < 1000; i++) {
        shadow.offer(primary, tensors("x", 1), answerOf(tensors("y", 1)), run)
        yield* Effect.promise(() => Promise.resolve())
      }
      yield* settled
      assert.isAtLeast(runs, 120)
      assert.isAtMost(runs, 280)
    }),
  ),
)

it.effect("reports go with the shadow", () =>
  shadowing(100, (shadow, primary) =>
    Effect.gen(function* () {
      shadow.offer(primary, tensors("x", 1), answerOf(tensors("y", 1)), async () => answerOf(tensors("y", 1)))
      yield* settled
      assert.strictEqual(shadow.reports(model)[0]?.compared, 1)
      yield* TrafficPolicies.use((policies) => policies.remove(model))
      assert.deepStrictEqual(shadow.reports(model), [])
      yield* TrafficPolicies.use((policies) =>
        policies.set(model, {
          split: [{ version: v(1), weight: 100 }],
          shadow: [{ version: v(2), percent: 1 }],
        }),
      )
      assert.strictEqual(shadow.reports(model)[0]?.compared, 0)
    }),
  ),
)
