/** What the contract of `RegistryStore` promises of versions. */
import { assert, type Vitest } from "@effect/vitest"
import { DateTime, Effect, Option, Struct } from "effect"
import type { VersionNumber } from "../model/Version.ts"
import { RegistryStore } from "../registry/RegistryStore.ts"
import {
  draftOf,
  failsWith,
  failure,
  found,
  freshDigest,
  freshName,
  oddText,
  pointers,
  production,
  v,
  withVersions,
} from "./RegistryStoreFixtures.ts"

export const versionTests = (it: Vitest.MethodsNonLive<RegistryStore>) => {
  it.effect("a version comes back as it was committed", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const model = yield* withVersions("commit", 0)
      const draft = draftOf(model)
      const version = yield* store.insertVersion(draft)
      const facts = Struct.omit(draft, ["createModel", "alias", "force", "graph"])
      assert.deepInclude({ ...version }, { ...facts, version: v(1), reason: null })
      assert.deepStrictEqual(yield* store.findVersion(model, v(1)), Option.some(version))
      assert.deepStrictEqual(yield* store.findDigest(model, facts.digest), Option.some(v(1)))
      const open = yield* store.insertVersion(draftOf(model, { createdBy: null, description: "" }))
      assert.deepStrictEqual([open.version, open.createdBy, open.description], [2, null, ""])
      assert.isTrue(DateTime.isGreaterThanOrEqualTo(open.createdAt, version.createdAt))
      assert.strictEqual((yield* found(store.findModel(model))).latestVersion, 2)
    }),
  )

  it.effect("a graph comes back to the letter, and goes with its version", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const model = yield* withVersions("graph", 1)
      // As large as the largest that a scanner makes.
      const graph = JSON.stringify({ notes: Array.from({ length: 4096 }, () => "x".repeat(1021)) })
      yield* store.insertVersion(draftOf(model, { graph }))
      const { graph: odd } = draftOf(model)
      assert.deepStrictEqual(yield* store.findGraph(model, v(1)), Option.some(odd))
      assert.isTrue(Option.contains(yield* store.findGraph(model, v(2)), graph))
      assert.deepStrictEqual(yield* store.findGraph(model, v(3)), Option.none())
      assert.deepStrictEqual(yield* store.findGraph(freshName("graph"), v(1)), Option.none())
      yield* store.deleteVersion(model, v(1))
      assert.deepStrictEqual(yield* store.findGraph(model, v(1)), Option.none())
      yield* store.deleteModel(model)
      assert.deepStrictEqual(yield* store.findGraph(model, v(2)), Option.none())
    }),
  )

  it.effect("the model is made with its first version when the draft says so", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const model = freshName("made")
      const numbers = yield* Effect.forEach(
        [1, 2, 3, 4],
        () => store.insertVersion(draftOf(model, { createModel: true })),
        { concurrency: "unbounded" },
      )
      assert.deepStrictEqual(numbers.map((version) => version.version).sort(), [1, 2, 3, 4])
      const made = yield* found(store.findModel(model))
      assert.deepStrictEqual([made.description, made.tags, made.state], ["", [], "ready"])
    }),
  )

  it.effect("50 concurrent commits get the numbers 1 to 50", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const model = yield* withVersions("numbers", 0)
      const versions = yield* Effect.forEach(
        Array.from({ length: 50 }),
        () => store.insertVersion(draftOf(model)),
        { concurrency: "unbounded" },
      )
      const numbers = versions.map((version) => version.version).sort((a, b) => a - b)
      assert.deepStrictEqual(
        numbers,
        Array.from({ length: 50 }, (_, i) => v(i + 1)),
      )
      assert.strictEqual((yield* found(store.findModel(model))).latestVersion, 50)
    }),
  )

  it.effect("the same bytes are a version once, and a refusal costs no number", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const model = yield* withVersions("duplicate", 1)
      const draft = draftOf(model, { state: "validating" })
      yield* store.insertVersion(draft)
      const reason = yield* failure(store.insertVersion({ ...draft, state: "ready", alias: production }))
      assert.deepInclude(reason, { _tag: "DuplicateVersion", model, version: 2, digest: draft.digest })
      assert.deepStrictEqual(pointers(yield* found(store.findRoutes(model))), {})
      assert.strictEqual((yield* store.insertVersion(draftOf(model))).version, 3)
      // Other models may have them.
      const other = yield* withVersions("duplicate", 0)
      assert.strictEqual((yield* store.insertVersion({ ...draft, model: other })).version, 1)
    }),
  )

  it.effect("of concurrent commits of the same bytes exactly one wins", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const model = freshName("same")
      const draft = draftOf(model, { createModel: true })
      const outcomes = yield* Effect.forEach(
        Array.from({ length: 12 }),
        () =>
          store.insertVersion(draft).pipe(
            Effect.as("won"),
            Effect.catchReason("RegistryError", "DuplicateVersion", (lost) =>
              Effect.succeed(`lost to ${lost.version}`),
            ),
          ),
        { concurrency: "unbounded" },
      )
      assert.deepStrictEqual(outcomes.sort(), [...Array(11).fill("lost to 1"), "won"])
      assert.strictEqual((yield* found(store.findModel(model))).latestVersion, 1)
    }),
  )

  it.effect("tells which of some bytes are a version of any model, in whatever state", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const [one, two] = [yield* withVersions("referred", 0), yield* withVersions("referred", 0)]
      const [ready, bad, unknown] = [draftOf(one), draftOf(two, { state: "validating" }), freshDigest()]
      yield* store.insertVersion(ready)
      yield* store.insertVersion({ ...ready, model: two })
      const { version } = yield* store.insertVersion(bad)
      yield* store.settleVersion(two, version, { state: "invalid", reason: "no" })
      const asked = [unknown, ready.digest, bad.digest]
      const [longAgo, never] = [DateTime.makeUnsafe(0), DateTime.makeUnsafe("9000-01-01T00:00:00Z")]
      const referred = store.findReferred(asked, never)
      assert.deepStrictEqual(yield* referred, new Set([ready.digest, bad.digest]))
      yield* store.deleteVersion(one, v(1))
      assert.deepStrictEqual(yield* referred, new Set([ready.digest, bad.digest]))
      yield* store.deleteModel(two)
      assert.deepStrictEqual(yield* referred, new Set())
      // What had a version once is known for as long as it is not forgotten.
      assert.deepStrictEqual(yield* store.findReferred(asked, longAgo), new Set([ready.digest, bad.digest]))
      yield* store.forgetReferred(longAgo)
      assert.deepStrictEqual(yield* store.findReferred(asked, longAgo), new Set([ready.digest, bad.digest]))
      yield* store.forgetReferred(never)
      assert.deepStrictEqual(yield* store.findReferred(asked, longAgo), new Set())
      assert.deepStrictEqual(yield* store.findReferred([], longAgo), new Set())
    }),
  )

  it.effect("versions are listed newest first, window after window", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const model = yield* withVersions("list", 5)
      const page = (limit: number, after?: VersionNumber) =>
        Effect.map(store.listVersions(model, { limit, after }), (versions) =>
          versions.map((version) => Number(version.version)),
        )
      assert.deepStrictEqual(yield* page(10), [5, 4, 3, 2, 1])
      assert.deepStrictEqual(yield* page(2), [5, 4])
      assert.deepStrictEqual(yield* page(2, v(4)), [3, 2])
      assert.deepStrictEqual(yield* page(2, v(2)), [1])
      assert.deepStrictEqual(yield* page(2, v(1)), [])
    }),
  )

  it.effect("a validation ends once, as ready or as invalid with a reason", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const model = yield* withVersions("settle", 0)
      const validating = Effect.map(store.listValidating, (versions) =>
        versions
          .filter((version) => version.model === model)
          .map((version) => version.version)
          .sort(),
      )
      const good = yield* store.insertVersion(draftOf(model, { state: "validating" }))
      const bad = yield* store.insertVersion(draftOf(model, { state: "validating" }))
      yield* store.insertVersion(draftOf(model))
      assert.strictEqual(good.state, "validating")
      assert.deepStrictEqual(yield* validating, [v(1), v(2)])
      yield* store.settleVersion(model, good.version, { state: "ready" })
      yield* store.settleVersion(model, bad.version, { state: "invalid", reason: oddText })
      assert.deepStrictEqual(yield* validating, [])
      // Settled versions stay as they are.
      yield* store.settleVersion(model, good.version, { state: "invalid", reason: "late" })
      yield* store.settleVersion(model, bad.version, { state: "ready" })
      yield* store.settleVersion(model, v(99), { state: "ready" })
      const states = (yield* store.listVersions(model, { limit: 10 })).map((x) => [x.state, x.reason])
      assert.deepStrictEqual(states, [
        ["ready", null],
        ["invalid", oddText],
        ["ready", null],
      ])
    }),
  )

  it.effect("a version is described, and only that changes", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const model = yield* withVersions("describe", 1)
      const before = yield* found(store.findVersion(model, v(1)))
      const after = yield* store.describeVersion(model, v(1), "trained on 2026")
      assert.deepStrictEqual({ ...after }, { ...before, description: "trained on 2026" })
      assert.deepStrictEqual(yield* store.findVersion(model, v(1)), Option.some(after))
      yield* failsWith("VersionNotFound", store.describeVersion(model, v(2), ""))
    }),
  )
}
