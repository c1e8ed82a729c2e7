/** What the contract of `RegistryStore` promises of traffic policies. */
import { assert, type Vitest } from "@effect/vitest"
import { DateTime, Effect } from "effect"
import { Actor } from "../events/Actor.ts"
import type { ModelName } from "../model/Names.ts"
import { inForceAfter, type TrafficPolicy, type VersionRef } from "../model/TrafficPolicy.ts"
import { ModelExists } from "../registry/RegistryError.ts"
import { maxTrafficChanges, RegistryStore } from "../registry/RegistryStore.ts"
import {
  canary,
  draftOf,
  failsWith,
  failure,
  found,
  freshName,
  oddText,
  outcome,
  pointers,
  production,
  v,
  withVersions,
} from "./RegistryStoreFixtures.ts"

const policyOf = (...split: ReadonlyArray<readonly [VersionRef, number]>): TrafficPolicy => ({
  split: split.map(([version, weight]) => ({ version, weight })),
})

const half = policyOf([v(1), 50], [v(2), 50])

/** The policy in force, as the model and its routes have it. */
const inForce = (model: ModelName) =>
  RegistryStore.use((store) =>
    Effect.gen(function* () {
      const { traffic } = yield* found(store.findModel(model))
      assert.deepStrictEqual((yield* found(store.findRoutes(model))).traffic, traffic)
      return traffic
    }),
  )

export const trafficTests = (it: Vitest.MethodsNonLive<RegistryStore>) => {
  it.effect("a traffic policy is set, replaced and removed, and every change is remembered", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const model = yield* withVersions("traffic", 2)
      assert.isNull(yield* inForce(model))
      const whole: TrafficPolicy = {
        ...half,
        sticky: "header:X-User",
        rollback: { errorRate: 0.05, windowSeconds: 60, minRequests: 20, latencyMs: 12.5 },
      }
      const first = yield* store
        .setTraffic(model, whole, { reason: `${oddText}\0` })
        .pipe(Effect.provideService(Actor, "ada"))
      assert.deepInclude({ ...first }, { revision: 1, from: null, policy: whole, updatedBy: "ada" })
      assert.isTrue(first.reason?.startsWith(oddText))
      const present = yield* inForce(model)
      assert.deepStrictEqual(present, inForceAfter(first))
      assert.isTrue(present !== null && DateTime.isDateTime(present.updatedAt))
      // The same again is no change.
      assert.deepStrictEqual(yield* store.setTraffic(model, whole, { reason: "again" }), first)
      const second = yield* store.setTraffic(model, half)
      assert.deepInclude(
        { ...second },
        { revision: 2, from: whole, policy: half, updatedBy: null, reason: null },
      )
      const third = yield* store.setTraffic(model, null, { reason: "done" })
      assert.deepInclude({ ...third }, { revision: 3, from: half, policy: null, reason: "done" })
      assert.isNull(yield* inForce(model))
      yield* failsWith("TrafficNotFound", store.setTraffic(model, null))
      const fourth = yield* store.setTraffic(model, half)
      assert.deepInclude({ ...fourth }, { revision: 4, from: null })
      assert.deepStrictEqual(yield* store.listTrafficChanges(model, { limit: 10 }), [
        fourth,
        third,
        second,
        first,
      ])
      assert.deepStrictEqual(yield* store.listTrafficChanges(model, { limit: 1, after: 3 }), [second])
      assert.deepStrictEqual((yield* found(store.findModel(model))).traffic?.revision, 4)
      const listed = yield* store.listRoutes
      assert.strictEqual(listed.find((routes) => routes.model === model)?.traffic?.revision, 4)
      // A model of the same name is a new one.
      yield* store.deleteModel(model)
      assert.deepStrictEqual(yield* store.listTrafficChanges(model, { limit: 10 }), [])
      yield* store.insertModel({ name: model })
      assert.isNull(yield* inForce(model))
    }),
  )

  it.effect("the oldest changes of a policy are forgotten", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const model = yield* withVersions("traffic-kept", 2)
      for (let i = 0; i < maxTrafficChanges + 2; i++)
        yield* store.setTraffic(model, policyOf([v(1), i % 101], [v(2), 100 - (i % 101)]))
      const changes = yield* store.listTrafficChanges(model, { limit: 2 * maxTrafficChanges })
      assert.deepStrictEqual(
        [changes.length, changes[0]?.revision],
        [maxTrafficChanges, maxTrafficChanges + 2],
      )
    }),
  )

  it.effect("a policy names only what is there and ready", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const model = yield* withVersions("traffic-named", 1)
      yield* store.insertVersion(draftOf(model, { state: "validating" }))
      yield* failsWith("ModelNotFound", store.setTraffic(freshName("unknown"), half))
      yield* failsWith("ModelNotFound", store.setTraffic(freshName("unknown"), null))
      const missing = yield* failure(store.setTraffic(model, policyOf([v(1), 50], [v(9), 50])))
      assert.deepInclude(missing, { _tag: "VersionNotFound", version: "9" })
      const unknown = yield* failure(store.setTraffic(model, policyOf([canary, 100])))
      assert.deepInclude(unknown, { _tag: "VersionNotFound", version: "canary" })
      const conflict = yield* failure(store.setTraffic(model, half))
      assert.deepInclude(conflict, { _tag: "VersionConflict", version: 2 })
      assert.match(conflict.message, /version 2 .* is validating/)
      assert.isNull(yield* inForce(model))
      yield* store.settleVersion(model, v(2), { state: "ready" })
      yield* store.setAlias(model, canary, v(2))
      yield* store.setTraffic(model, policyOf([v(1), 90], [canary, 10]))
    }),
  )

  it.effect("what a policy names can't go, and production stays where it is", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const model = yield* withVersions("traffic-guards", 4)
      yield* store.setAlias(model, production, v(1))
      yield* store.setAlias(model, canary, v(3))
      const shadow = [{ version: v(4), percent: 12.5 }]
      yield* store.setTraffic(model, { ...policyOf([v(2), 90], [canary, 10]), shadow })
      yield* failsWith("VersionConflict", store.deleteVersion(model, v(4)))
      for (const use of [store.deleteVersion(model, v(2)), store.setArchived(model, v(2), true)]) {
        const refused = yield* failure(use)
        assert.deepInclude(refused, { _tag: "VersionConflict", version: 2 })
        assert.match(refused.message, /traffic policy/)
      }
      assert.match((yield* failure(store.deleteAlias(model, canary))).message, /"canary".*traffic policy/)
      yield* failsWith("TrafficConflict", store.setAlias(model, production, v(4)))
      yield* failsWith("TrafficConflict", store.insertVersion(draftOf(model, { alias: production })))
      // What was refused left nothing.
      assert.strictEqual((yield* found(store.findModel(model))).latestVersion, 4)
      // It points there already.
      yield* store.setAlias(model, production, v(1))
      yield* store.setAlias(model, canary, v(4))
      yield* store.insertVersion(draftOf(model, { state: "validating", alias: production }))
      yield* store.settleVersion(model, v(5), { state: "ready" })
      const { aliases, traffic } = yield* found(store.findModel(model))
      assert.deepStrictEqual(pointers({ aliases }), { production: 1, canary: 4 })
      assert.strictEqual(traffic?.revision, 1)
      // What the policy does not name can go.
      yield* store.deleteVersion(model, v(3))
      const moved = yield* store.setAlias(model, production, v(2), { clearTraffic: true, reason: "done" })
      assert.strictEqual(moved.version, 2)
      assert.isNull(yield* inForce(model))
      const [cleared] = yield* store.listTrafficChanges(model, { limit: 1 })
      assert.deepInclude({ ...cleared }, { revision: 2, policy: null, reason: "done" })
      yield* store.deleteAlias(model, canary)
    }),
  )

  it.effect("a guard is asked from production, else from the heaviest, to each other version", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const model = yield* withVersions("traffic-guard", 4)
      const asked: Array<string> = []
      const ask = (policy: TrafficPolicy, refuse = "") =>
        store.setTraffic(model, policy, {
          guard: (from, to) => {
            asked.push(`${from.version}>${to.version}`)
            return asked.at(-1) === refuse ? new ModelExists({ model }) : undefined
          },
        })
      // Nobody gets an answer of a shadow.
      const shadow = [{ version: v(4), percent: 100 }]
      yield* ask({ ...policyOf([v(1), 20], [v(2), 70], [v(3), 10]), shadow })
      assert.deepStrictEqual(asked.splice(0).sort(), ["2>1", "2>3"])
      yield* store.setTraffic(model, null)
      yield* store.setAlias(model, production, v(4))
      yield* ask(policyOf([v(1), 50], [production, 50]))
      assert.deepStrictEqual(asked.splice(0), ["4>1"])
      yield* failsWith("ModelExists", ask(policyOf([v(1), 50], [v(2), 50]), "4>2"))
      assert.strictEqual((yield* inForce(model))?.revision, 3)
    }),
  )

  it.effect("a policy changes only from the revision that was known; of many at once one does", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const model = yield* withVersions("traffic-race", 2)
      yield* store.setTraffic(model, half, { after: 0 })
      yield* failsWith("TrafficConflict", store.setTraffic(model, null, { after: 0 }))
      const weights = [10, 20, 30, 40, 60, 70]
      const outcomes = yield* Effect.forEach(
        weights,
        (weight) =>
          outcome(store.setTraffic(model, policyOf([v(1), weight], [v(2), 100 - weight]), { after: 1 })),
        { concurrency: "unbounded" },
      )
      assert.deepStrictEqual(outcomes.filter((one) => one === "done").length, 1)
      assert.isTrue(outcomes.every((one) => one === "done" || one === "TrafficConflict"))
      assert.strictEqual((yield* inForce(model))?.revision, 2)
    }),
  )

  it.effect(
    "concurrent policies, deletions and archivings never leave a policy with a version that is not ready",
    () =>
      Effect.gen(function* () {
        const store = yield* RegistryStore
        const model = yield* withVersions("traffic-deleting", 8)
        const numbers = Array.from({ length: 7 }, (_, index) => v(index + 2))
        yield* Effect.all(
          numbers.flatMap((version) => [
            outcome(store.setTraffic(model, policyOf([v(1), 50], [version, 50]))),
            outcome(
              version % 2 === 0
                ? store.deleteVersion(model, version)
                : store.setArchived(model, version, true),
            ),
          ]),
          { concurrency: "unbounded" },
        )
        const { traffic, versions } = yield* found(store.findRoutes(model))
        const ready = versions.flatMap(({ version, state }) => (state === "ready" ? [version] : []))
        for (const { version } of traffic?.split ?? []) assert.isTrue(ready.some((one) => one === version))
      }),
  )
}
