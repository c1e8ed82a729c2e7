/** What the contract of `RegistryStore` promises of changes that depend on what the caller knows. */
import { assert, type Vitest } from "@effect/vitest"
import { Effect } from "effect"
import { aliasAfter } from "../model/Alias.ts"
import { inForceAfter, type TrafficPolicy } from "../model/TrafficPolicy.ts"
import { revisionOf } from "../registry/Expectation.ts"
import type { RegistryError } from "../registry/RegistryError.ts"
import { RegistryStore } from "../registry/RegistryStore.ts"
import {
  canary,
  failsWith,
  failure,
  found,
  freshName,
  outcome,
  v,
  withVersions,
} from "./RegistryStoreFixtures.ts"

const all: TrafficPolicy = { split: [{ version: v(1), weight: 100 }] }
const other: TrafficPolicy = { split: [{ version: v(2), weight: 100 }] }
const stale = ["AAAAAAAAAAAAAAAAAAAAAA"]

export const expectationTests = (it: Vitest.MethodsNonLive<RegistryStore>) => {
  it.effect("a model, its config and a version change only from the state that was known", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const model = yield* withVersions("expected", 2)
      const before = yield* found(store.findModel(model))
      const after = yield* store.updateModel(model, { description: "a" }, [revisionOf(before)])
      const refused = yield* failure(store.updateModel(model, { description: "b" }, [revisionOf(before)]))
      assert.deepInclude(refused, { _tag: "RevisionMismatch", present: revisionOf(after) })
      assert.strictEqual((yield* found(store.findModel(model))).description, "a")
      // Any of several, and whatever there is.
      yield* store.updateModel(model, { description: "c" }, [...stale, revisionOf(after)])
      yield* store.updateModel(model, { description: "d" }, "present")
      yield* failsWith("ModelNotFound", store.updateModel(freshName("unknown"), {}, stale))

      yield* failsWith("RevisionMismatch", store.setConfig(model, { instances: 2 }, stale))
      yield* store.setConfig(model, { instances: 2 }, [revisionOf({})])
      yield* failsWith("RevisionMismatch", store.setConfig(model, {}, [revisionOf({})]))
      assert.deepStrictEqual((yield* found(store.findModel(model))).config, { instances: 2 })

      const version = yield* found(store.findVersion(model, v(1)))
      yield* store.describeVersion(model, v(1), "new", [revisionOf(version)])
      yield* failsWith("RevisionMismatch", store.describeVersion(model, v(1), "newer", [revisionOf(version)]))
      yield* failsWith("RevisionMismatch", store.deleteVersion(model, v(1), [revisionOf(version)]))
      const described = yield* found(store.findVersion(model, v(1)))
      assert.strictEqual(described.description, "new")
      yield* store.deleteVersion(model, v(1), [revisionOf(described)])

      yield* failsWith("RevisionMismatch", store.deleteModel(model, [revisionOf(after)]))
      yield* store.deleteModel(model, [revisionOf(yield* found(store.findModel(model)))])
      yield* failsWith("ModelNotFound", store.deleteModel(model, "present"))
    }),
  )

  it.effect("whatever changes what a model shows is another revision of it", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const model = yield* withVersions("revisions", 2)
      const revisions = new Set<string>()
      const changes = [
        Effect.void,
        store.updateModel(model, { labels: { b: "1", a: "2" } }),
        store.setConfig(model, { instances: 3 }),
        store.setAlias(model, canary, v(1)),
        store.setTraffic(model, all),
        store.deleteAlias(model, canary),
      ]
      for (const change of changes) {
        yield* change
        revisions.add(revisionOf(yield* found(store.findModel(model))))
      }
      assert.strictEqual(revisions.size, changes.length)
      assert.isTrue(revisions.has(revisionOf(yield* found(store.findModel(model)))))
    }),
  )

  it.effect("an alias and a traffic policy are made only where there is none, changed only where known", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const model = yield* withVersions("expected-alias", 3)
      const expect = (expected: "present" | "absent" | ReadonlyArray<string>, version: number) =>
        store.setAlias(model, canary, v(version), { expected })
      yield* failsWith("RevisionMismatch", expect("present", 1))
      yield* failsWith("RevisionMismatch", expect(stale, 1))
      const made = yield* expect("absent", 1)
      yield* failsWith("RevisionMismatch", expect("absent", 2))
      const known = revisionOf(aliasAfter(made))
      const moved = yield* expect([known], 2)
      const refused = yield* failure(expect([known], 3))
      assert.deepInclude(refused, { _tag: "RevisionMismatch", present: revisionOf(aliasAfter(moved)) })
      yield* failsWith("RevisionMismatch", store.deleteAlias(model, canary, [known]))
      assert.isTrue(yield* store.deleteAlias(model, canary, "present"))
      assert.isFalse(yield* store.deleteAlias(model, canary, "present"))
      yield* expect("absent", 3)

      yield* failsWith("RevisionMismatch", store.setTraffic(model, all, { expected: stale }))
      const first = yield* store.setTraffic(model, all, { expected: "absent" })
      yield* failsWith("RevisionMismatch", store.setTraffic(model, other, { expected: "absent" }))
      const inForce = [revisionOf(inForceAfter(first))]
      yield* store.setTraffic(model, other, { expected: inForce })
      yield* failsWith("RevisionMismatch", store.setTraffic(model, null, { expected: inForce }))
      yield* store.setTraffic(model, null, { expected: "present" })
      yield* failsWith("TrafficNotFound", store.setTraffic(model, null, { expected: inForce }))
    }),
  )

  it.effect("of many who change the same state at once, one does", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const model = yield* withVersions("expected-race", 2)
      const expected = [revisionOf(yield* found(store.findModel(model)))]
      const version = [revisionOf(yield* found(store.findVersion(model, v(1))))]
      const alias = aliasAfter(yield* store.setAlias(model, canary, v(1)))
      // The alias is part of the model: what was known of that is known no more.
      yield* failsWith("RevisionMismatch", store.updateModel(model, {}, expected))
      const present = [revisionOf(yield* found(store.findModel(model)))]
      const eight = [1, 2, 3, 4, 5, 6, 7, 8]
      const attempts: ReadonlyArray<(n: number) => Effect.Effect<unknown, RegistryError>> = [
        (n: number) => store.updateModel(model, { description: `${n}` }, present),
        (n: number) => store.setConfig(model, { instances: n }, [revisionOf({})]),
        (n: number) => store.describeVersion(model, v(1), `${n}`, version),
        () => store.setAlias(model, canary, v(2), { expected: [revisionOf(alias)] }),
        (n: number) =>
          store.setTraffic(
            model,
            {
              split: [
                { version: v(1), weight: n },
                { version: v(2), weight: 100 - n },
              ],
            },
            { expected: "absent" },
          ),
      ]
      for (const attempt of attempts) {
        const outcomes = yield* Effect.forEach(eight, (n) => outcome(attempt(n)), {
          concurrency: "unbounded",
        })
        assert.deepStrictEqual(
          outcomes.filter((one) => one !== "RevisionMismatch"),
          ["done"],
        )
      }
    }),
  )
}
