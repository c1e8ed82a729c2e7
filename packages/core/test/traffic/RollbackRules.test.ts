import { assert, it } from "@effect/vitest"
import { Context, Effect, Result } from "effect"
import { TestClock } from "effect/testing"
import { AuditStore } from "../../src/audit/AuditStore.ts"
import { EventStore } from "../../src/events/EventStore.ts"
import { DeadlineExceeded, InferenceError, Overloaded } from "../../src/inference/InferenceError.ts"
import { RunFailed, RunnerLost } from "../../src/inference/ModelRuntime.ts"
import { AliasName } from "../../src/model/Names.ts"
import type { TrafficPolicy, VersionRef } from "../../src/model/TrafficPolicy.ts"
import { VersionNumber } from "../../src/model/Version.ts"
import { Aliases } from "../../src/registry/Aliases.ts"
import type { Route } from "../../src/registry/Route.ts"
import { RoutingTable } from "../../src/registry/RoutingTable.ts"
import { TrafficPolicies } from "../../src/registry/TrafficPolicies.ts"
import { breach, RollbackRules, rollbackActor } from "../../src/traffic/RollbackRules.ts"
import { World } from "../fakes.ts"
import { model, push, refused } from "../registry/uploading.ts"

const v = (version: number) => VersionNumber.make(version)
const canary = AliasName.make("canary")

const runFailed = new InferenceError({ reason: new RunFailed({ detail: "broken" }) })
const runnerLost = new InferenceError({ reason: new RunnerLost({ detail: "gone" }) })
const overloaded = new InferenceError({ reason: new Overloaded({ detail: "full", retryAfterSeconds: 1 }) })
const late = new InferenceError({ reason: new DeadlineExceeded({ timeoutMs: 1 }) })

const rule = { errorRate: 0.5, windowSeconds: 60, minRequests: 4 }
const entry = (version: VersionRef, weight: number) => ({ version, weight })
const half: TrafficPolicy = { split: [entry(v(1), 50), entry(v(2), 50)], rollback: rule }

/** Everything that can go on without time passing has gone on. */
const settled = TestClock.adjust(0)

/** Three versions of `digits` under a policy, and a watch over them. */
const watching = <A, E, R>(
  policy: TrafficPolicy,
  use: (
    world: World,
    rules: RollbackRules["Service"],
    to: (version: number) => Route,
  ) => Effect.Effect<A, E, R>,
) =>
  Effect.gen(function* () {
    const world = yield* World.make()
    return yield* world.open(
      Effect.gen(function* () {
        for (const name of ["one", "two", "three"]) yield* push(name)
        const routing = yield* RoutingTable
        yield* Aliases.use((aliases) => aliases.move(model, canary, { version: v(2) }))
        yield* TrafficPolicies.use((policies) => policies.set(model, policy))
        const rules = yield* RollbackRules.make
        const to = (version: number) => Result.getOrThrow(routing.resolve(model, String(version)))
        return yield* use(world, rules, to)
      }),
    )
  })

/** What is in force, as `version:weight`, and by whom. */
const inForce = Effect.map(
  TrafficPolicies.use((policies) => policies.get(model)),
  ({ split, updatedBy }) => [split.map(({ version, weight }) => `${version}:${weight}`).join(" "), updatedBy],
)
const untouched = (weights: string) =>
  Effect.map(inForce, (now) => assert.deepStrictEqual(now, [weights, null]))

it("a rule is broken from its share of enough requests on", () => {
  const counts = (requests: number, errors: number, slow = 0) => ({ requests, errors, slow })
  assert.isUndefined(breach(rule, counts(3, 3)))
  assert.isUndefined(breach(rule, counts(5, 2)))
  assert.strictEqual(
    breach(rule, counts(8, 5)),
    "5 of 8 requests within 60 s failed (62.5 %, the rule is 50 %)",
  )
  assert.isDefined(breach(rule, counts(4, 2)))
  assert.isDefined(breach({ ...rule, errorRate: 1 }, counts(4, 4)))
  // Of none that failed there is nothing to say, whatever the rule.
  assert.isUndefined(breach({ ...rule, errorRate: 0 }, counts(4, 0)))
  assert.isDefined(breach({ ...rule, errorRate: 0 }, counts(4, 1)))
  // The 95th percentile is above the limit when more than a twentieth are.
  const latency = { ...rule, latencyMs: 20 }
  assert.isUndefined(breach(latency, counts(100, 0, 5)))
  assert.match(
    breach(latency, counts(100, 0, 6)) ?? "",
    /^6 of 100 requests within 60 s ran longer than 20 ms/,
  )
  assert.isUndefined(breach(rule, counts(100, 0, 100)))
})

it.effect("a version that fails is taken out, once, in the name of the rule, with figures and an event", () =>
  watching(half, (world, rules, to) =>
    Effect.gen(function* () {
      assert.isTrue(rules.watches(model))
      rules.answered(to(2), 1)
      for (let i = 0; i < 9; i++) rules.failed(to(2), i % 2 === 0 ? runFailed : runnerLost)
      // At once, before the store was asked.
      const routing = yield* RoutingTable
      for (let i = 0; i < 50; i++)
        assert.strictEqual(Number(Result.getOrThrow(routing.resolve(model)).version), 1)
      yield* settled
      assert.deepStrictEqual(yield* inForce, ["1:100", "rollback rule"])
      const [change, ...older] = yield* world.store.listTrafficChanges(model, { limit: 10 })
      assert.strictEqual(older.length, 1)
      assert.strictEqual(
        change?.reason,
        "Version 2 was taken out of the split: 3 of 4 requests within 60 s failed (75 %, the rule is 50 %)",
      )
      const events = yield* Context.get(world.stored, EventStore).read(null, 100)
      const last = events.at(-1)
      assert.deepInclude({ ...last }, { by: "rollback rule", model })
      assert.strictEqual(last?.change.type, "traffic.changed")
      const [entry] = yield* Context.get(world.stored, AuditStore).list(
        { actor: rollbackActor },
        { limit: 10 },
      )
      assert.deepInclude(entry, {
        action: "traffic.changed",
        target: { type: "traffic", id: model },
        before: half,
        reason:
          "Version 2 was taken out of the split: 3 of 4 requests within 60 s failed (75 %, the rule is 50 %)",
      })
    }),
  ),
)

it.effect("what is not the version's fault is not counted, nor are its good answers held against it", () =>
  watching(half, (_world, rules, to) =>
    Effect.gen(function* () {
      for (let i = 0; i < 20; i++) {
        rules.failed(to(2), overloaded)
        rules.failed(to(2), late)
      }
      for (let i = 0; i < 20; i++) rules.answered(to(2), 1e6)
      for (let i = 0; i < 19; i++) rules.failed(to(2), runFailed)
      yield* settled
      yield* untouched("1:50 2:50")
    }),
  ),
)

it.effect("failures that are older than the window are forgotten", () =>
  watching(half, (_world, rules, to) =>
    Effect.gen(function* () {
      for (let round = 0; round < 5; round++) {
        for (let i = 0; i < 3; i++) rules.failed(to(2), runFailed)
        yield* TestClock.adjust("61 seconds")
      }
      yield* untouched("1:50 2:50")
      for (let i = 0; i < 4; i++) rules.failed(to(2), runFailed)
      yield* settled
      assert.deepStrictEqual(yield* inForce, ["1:100", "rollback rule"])
    }),
  ),
)

it.effect("a version that is slow is taken out where the rule says how fast it has to be", () =>
  watching({ ...half, rollback: { ...rule, latencyMs: 20 } }, (_world, rules, to) =>
    Effect.gen(function* () {
      for (let i = 0; i < 100; i++) rules.answered(to(2), 20)
      for (let i = 0; i < 5; i++) rules.answered(to(2), 21)
      yield* settled
      yield* untouched("1:50 2:50")
      rules.answered(to(2), 21)
      yield* settled
      assert.deepStrictEqual(yield* inForce, ["1:100", "rollback rule"])
    }),
  ),
)

it.effect("the version that others are measured against stays, and so does one that nobody split to", () =>
  watching(half, (_world, rules, to) =>
    Effect.gen(function* () {
      for (let i = 0; i < 20; i++) for (const version of [1, 3]) rules.failed(to(version), runFailed)
      yield* settled
      yield* untouched("1:50 2:50")
    }),
  ),
)

it.effect("where an alias of the split moves, its new version is judged anew", () =>
  watching({ ...half, split: [entry(v(1), 90), entry(canary, 10)] }, (_world, rules, to) =>
    Effect.gen(function* () {
      for (let i = 0; i < 3; i++) rules.failed(to(2), runFailed)
      yield* Aliases.use((aliases) => aliases.move(model, canary, { version: v(3) }))
      for (let i = 0; i < 3; i++) rules.failed(to(3), runFailed)
      for (let i = 0; i < 3; i++) rules.failed(to(2), runFailed)
      yield* settled
      yield* untouched("1:90 canary:10")
      rules.failed(to(3), runFailed)
      yield* settled
      assert.deepStrictEqual(yield* inForce, ["1:100", "rollback rule"])
    }),
  ),
)

it.effect("a policy that was changed meanwhile is left alone, and judged by what comes after", () =>
  watching(half, (world, rules, to) =>
    Effect.gen(function* () {
      // Another server did it, and this one has not heard yet.
      yield* world.store.setTraffic(model, { ...half, split: [entry(v(1), 60), entry(v(2), 40)] })
      for (let i = 0; i < 4; i++) rules.failed(to(2), runFailed)
      yield* settled
      yield* untouched("1:60 2:40")
      for (let i = 0; i < 3; i++) rules.failed(to(2), runFailed)
      yield* settled
      yield* untouched("1:60 2:40")
      rules.failed(to(2), runFailed)
      yield* settled
      assert.deepStrictEqual(yield* inForce, ["1:100", "rollback rule"])
    }),
  ),
)

it.effect("two servers take a version out once", () =>
  watching(half, (world, rules, to) =>
    Effect.gen(function* () {
      const other = yield* RollbackRules.make
      for (let i = 0; i < 4; i++) for (const server of [rules, other]) server.failed(to(2), runFailed)
      yield* settled
      assert.strictEqual((yield* world.store.listTrafficChanges(model, { limit: 10 })).length, 2)
    }),
  ),
)

it.effect(
  "while the store is away nothing goes to the version, and it is taken out when the store is back",
  () =>
    watching(half, (world, rules, to) =>
      Effect.gen(function* () {
        world.outage.fail("setTraffic", 2)
        for (let i = 0; i < 4; i++) rules.failed(to(2), runFailed)
        yield* settled
        const routing = yield* RoutingTable
        for (let i = 0; i < 50; i++)
          assert.strictEqual(Number(Result.getOrThrow(routing.resolve(model)).version), 1)
        yield* untouched("1:50 2:50")
        yield* TestClock.adjust("10 seconds")
        assert.deepStrictEqual(yield* inForce, ["1:100", "rollback rule"])
      }),
    ),
)

it.effect("without a rule nothing is watched", () =>
  watching({ split: half.split }, (_world, rules, to) =>
    Effect.gen(function* () {
      assert.isFalse(rules.watches(model))
      for (let i = 0; i < 20; i++) rules.failed(to(2), runFailed)
      yield* settled
      yield* untouched("1:50 2:50")
      yield* TrafficPolicies.use((policies) => policies.remove(model))
      assert.strictEqual(
        (yield* refused(TrafficPolicies.use((policies) => policies.get(model))))._tag,
        "TrafficNotFound",
      )
    }),
  ),
)
