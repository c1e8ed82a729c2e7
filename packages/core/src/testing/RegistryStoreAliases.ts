/** What the contract of `RegistryStore` promises of aliases and routes. */
import { assert, type Vitest } from "@effect/vitest"
import { Effect, Option } from "effect"
import { RegistryStore, type VersionDraft } from "../registry/RegistryStore.ts"
import {
  canary,
  draftOf,
  failsWith,
  failure,
  found,
  freshName,
  oddText,
  otherSignature,
  outcome,
  pointers,
  production,
  v,
  withVersions,
} from "./RegistryStoreFixtures.ts"

export const aliasTests = (it: Vitest.MethodsNonLive<RegistryStore>) => {
  it.effect("the alias of a draft is set when the version is ready, never before or otherwise", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const model = yield* withVersions("alias", 0)
      const aliases = Effect.map(found(store.findRoutes(model)), pointers)
      const commit = (state: "validating" | "ready") =>
        store.insertVersion(draftOf(model, { state, alias: production }))
      yield* commit("ready")
      assert.deepStrictEqual(yield* aliases, { production: 1 })
      yield* commit("validating")
      yield* commit("validating")
      assert.deepStrictEqual(yield* aliases, { production: 1 })
      yield* store.settleVersion(model, v(3), { state: "invalid", reason: "no" })
      assert.deepStrictEqual(yield* aliases, { production: 1 })
      yield* store.settleVersion(model, v(2), { state: "ready" })
      assert.deepStrictEqual(yield* aliases, { production: 2 })
      yield* commit("ready")
      assert.deepStrictEqual(yield* aliases, { production: 4 })
      // A second verdict on a settled version must not move the alias back.
      yield* store.settleVersion(model, v(2), { state: "ready" })
      assert.deepStrictEqual(yield* aliases, { production: 4 })
    }),
  )

  it.effect("the alias of a draft does not leave a version whose callers may fail, unless forced", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const model = yield* withVersions("forced", 1)
      yield* store.setAlias(model, production, v(1))
      const aliases = Effect.map(found(store.findRoutes(model)), pointers)
      const commit = (fields: Partial<VersionDraft>) =>
        store.insertVersion(draftOf(model, { signature: otherSignature, alias: production, ...fields }))
      const refused = yield* failure(commit({ state: "ready" }))
      assert.deepInclude(refused, {
        _tag: "IncompatibleSignature",
        model,
        alias: production,
        from: 1,
        to: null,
      })
      assert.strictEqual((yield* found(store.findModel(model))).latestVersion, 1)
      // Others are not asked.
      yield* commit({ state: "ready", alias: canary })
      yield* commit({ state: "validating" })
      yield* commit({ state: "validating", force: true })
      yield* store.settleVersion(model, v(3), { state: "ready" })
      assert.strictEqual((yield* found(store.findVersion(model, v(3)))).state, "ready")
      assert.deepStrictEqual(yield* aliases, { canary: 2, production: 1 })
      yield* store.settleVersion(model, v(4), { state: "ready" })
      assert.deepStrictEqual(yield* aliases, { canary: 2, production: 4 })
      yield* commit({ state: "ready", signature: draftOf(model).signature, force: true })
      assert.deepStrictEqual(yield* aliases, { canary: 2, production: 5 })
      // What counts is where the alias points when the version settles, not where it did when it was committed.
      yield* commit({ state: "validating" })
      yield* store.setAlias(model, production, v(2))
      yield* store.settleVersion(model, v(6), { state: "ready" })
      assert.deepStrictEqual(yield* aliases, { canary: 2, production: 6 })
    }),
  )

  it.effect("an alias points at ready versions only, can be moved and deleted", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const model = yield* withVersions("move", 2)
      yield* store.insertVersion(draftOf(model, { state: "validating" }))
      yield* store.insertVersion(draftOf(model, { state: "validating" }))
      yield* store.settleVersion(model, v(4), { state: "invalid", reason: "no" })
      yield* store.setAlias(model, production, v(1))
      yield* store.setAlias(model, canary, v(2))
      yield* store.setAlias(model, production, v(2))
      yield* store.setAlias(model, production, v(2))
      const refused = yield* failure(store.setAlias(model, production, v(3)))
      assert.deepInclude(refused, { _tag: "VersionConflict", model, version: 3 })
      assert.match(refused.message, /"production".*version 3.*is validating/)
      yield* failsWith("VersionConflict", store.setAlias(model, canary, v(4)))
      const missing = yield* failure(store.setAlias(model, canary, v(9)))
      assert.deepInclude(missing, { _tag: "VersionNotFound", model, version: "9" })
      assert.deepStrictEqual(pointers(yield* found(store.findModel(model))), {
        production: 2,
        canary: 2,
      })
      assert.isTrue(yield* store.deleteAlias(model, canary))
      assert.isFalse(yield* store.deleteAlias(model, canary))
      assert.deepStrictEqual(pointers(yield* found(store.findModel(model))), { production: 2 })
    }),
  )

  it.effect("a version is deleted unless an alias points at it; its number is never given again", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const model = yield* withVersions("number", 1)
      const draft = draftOf(model, { alias: production })
      yield* store.insertVersion(draft)
      yield* store.setAlias(model, canary, v(2))
      const refused = yield* failure(store.deleteVersion(model, v(2)))
      assert.deepInclude(refused, { _tag: "VersionConflict", model, version: 2 })
      assert.match(refused.message, /\("canary", "production"\)/)
      yield* store.deleteAlias(model, canary)
      yield* store.setAlias(model, production, v(1))
      yield* store.deleteVersion(model, v(2))
      yield* failsWith("VersionNotFound", store.deleteVersion(model, v(2)))
      yield* failsWith("VersionNotFound", store.setAlias(model, production, v(2)))
      assert.isTrue(Option.isNone(yield* store.findVersion(model, v(2))))
      assert.isTrue(Option.isNone(yield* store.findDigest(model, draft.digest)))
      assert.strictEqual((yield* found(store.findModel(model))).latestVersion, 2)
      // The same bytes may come again.
      assert.strictEqual((yield* store.insertVersion(draft)).version, 3)
    }),
  )

  it.effect("concurrent alias moves and deletions never leave an alias without its version", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const model = yield* withVersions("dangling", 12)
      const numbers = Array.from({ length: 12 }, (_, i) => v(i + 1))
      const outcomes = yield* Effect.all(
        numbers.flatMap((version) => [
          outcome(store.setAlias(model, production, version)),
          outcome(store.deleteVersion(model, version)),
        ]),
        { concurrency: "unbounded" },
      )
      for (const end of outcomes) assert.include(["done", "VersionConflict", "VersionNotFound"], end)
      const routes = yield* found(store.findRoutes(model))
      const left = routes.versions.map((version) => Number(version.version))
      for (const target of Object.values(pointers(routes))) assert.include(left, target)
    }),
  )

  it.effect("concurrent changes of one model all end as the contract says", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const model = freshName("busy")
      const insert = (state: "validating" | "ready") =>
        store.insertVersion(draftOf(model, { state, alias: production, createModel: true }))
      for (let round = 0; round < 5; round++) {
        yield* Effect.forEach([1, 2, 3], () => insert("validating"))
        const outcomes = yield* Effect.all(
          [
            ...[1, 2, 3].map((version) =>
              outcome(store.settleVersion(model, v(version), { state: "ready" })),
            ),
            outcome(store.setAlias(model, canary, v(1))),
            outcome(store.deleteModel(model)),
            outcome(insert("ready")),
            outcome(store.describeVersion(model, v(2), "new")),
            outcome(store.deleteVersion(model, v(3))),
            outcome(store.deleteAlias(model, production)),
          ],
          { concurrency: "unbounded" },
        )
        for (const end of outcomes) {
          assert.include(["done", "ModelNotFound", "VersionConflict", "VersionNotFound"], end)
        }
        yield* outcome(store.deleteModel(model))
      }
    }),
  )

  it.effect("routes say the same as models and versions", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const model = yield* withVersions("routes", 2)
      const bare = yield* withVersions("routes", 0)
      yield* store.insertVersion(draftOf(model, { state: "validating" }))
      yield* store.settleVersion(model, v(3), { state: "invalid", reason: oddText })
      yield* store.setAlias(model, production, v(1))
      const routes = yield* found(store.findRoutes(model))
      assert.strictEqual(routes.model, model)
      assert.deepStrictEqual(routes.aliases, pointers(yield* found(store.findModel(model))))
      assert.deepStrictEqual(
        routes.versions.map((x) => ({ ...x })),
        (yield* store.listVersions(model, { limit: 10 })).map(
          ({ version, digest, size, state, reason, signature }) => ({
            version,
            digest,
            size,
            state,
            reason,
            signature,
          }),
        ),
      )
      const all = yield* store.listRoutes
      assert.deepStrictEqual(
        all.find((x) => x.model === model),
        routes,
      )
      assert.deepStrictEqual(all.find((x) => x.model === bare)?.versions, [])
      assert.deepStrictEqual(
        yield* store.findRoutes(bare),
        Option.fromUndefinedOr(all.find((x) => x.model === bare)),
      )
      const names = all.map((x) => x.model)
      assert.deepStrictEqual(names, [...names].sort())
    }),
  )
}
