/** What the contract of `RegistryStore` promises of models. */
import { assert, type Vitest } from "@effect/vitest"
import { DateTime, Effect, Option } from "effect"
import type { ModelConfig } from "../model/ModelConfig.ts"
import { ModelName } from "../model/Names.ts"
import { RegistryStore } from "../registry/RegistryStore.ts"
import {
  canary,
  draftOf,
  failsWith,
  failure,
  found,
  freshDigest,
  freshName,
  oddText,
  production,
  uuid,
  v,
  withVersions,
} from "./RegistryStoreFixtures.ts"

export const modelTests = (it: Vitest.MethodsNonLive<RegistryStore>) => {
  it.effect("a new model has what its draft says and nothing else", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const bare = yield* store.insertModel({ name: freshName("bare") })
      assert.strictEqual(bare.description, "")
      assert.deepStrictEqual(bare.tags, [])
      assert.deepStrictEqual(bare.labels, {})
      assert.deepStrictEqual(bare.aliases, {})
      assert.strictEqual(bare.latestVersion, null)
      assert.strictEqual(bare.state, "empty")
      assert.isTrue(DateTime.Equivalence(bare.createdAt, bare.updatedAt))
      const draft = {
        name: freshName("full"),
        description: oddText,
        tags: ["vision", oddText],
        labels: { team_name: oddText, teamName: "" },
      }
      const full = yield* store.insertModel(draft)
      assert.deepInclude({ ...full }, draft)
      assert.deepStrictEqual(yield* store.findModel(draft.name), Option.some(full))
      // No store needs to keep a NUL, but all take it.
      yield* store.insertModel({
        name: freshName("nul"),
        description: "\0",
        tags: ["\0"],
        labels: { "\0": "\0" },
      })
    }),
  )

  it.effect("a name is taken once", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const name = freshName("once")
      yield* store.insertModel({ name, description: "first" })
      const reason = yield* failure(store.insertModel({ name, description: "second" }))
      assert.deepInclude(reason, { _tag: "ModelExists", model: name })
      assert.strictEqual((yield* found(store.findModel(name))).description, "first")
    }),
  )

  it.effect("of concurrent insertions of one name exactly one wins", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const name = freshName("race")
      const wins = yield* Effect.forEach(
        Array.from({ length: 8 }),
        () =>
          store.insertModel({ name }).pipe(
            Effect.as(1),
            Effect.catchReason("RegistryError", "ModelExists", () => Effect.succeed(0)),
          ),
        { concurrency: "unbounded" },
      )
      assert.strictEqual(
        wins.reduce((sum, won) => sum + won, 0),
        1,
      )
    }),
  )

  it.effect("an unknown model is none, empty or ModelNotFound", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const model = freshName("unknown")
      assert.isTrue(Option.isNone(yield* store.findModel(model)))
      assert.isTrue(Option.isNone(yield* store.findVersion(model, v(1))))
      assert.isTrue(Option.isNone(yield* store.findDigest(model, freshDigest())))
      assert.isTrue(Option.isNone(yield* store.findRoutes(model)))
      assert.deepStrictEqual(yield* store.listVersions(model, { limit: 10 }), [])
      assert.isFalse(yield* store.deleteAlias(model, production))
      yield* store.settleVersion(model, v(1), { state: "ready" })
      yield* failsWith("ModelNotFound", store.updateModel(model, { description: "" }))
      yield* failsWith("ModelNotFound", store.deleteModel(model))
      yield* failsWith("ModelNotFound", store.insertVersion(draftOf(model)))
      yield* failsWith("ModelNotFound", store.setAlias(model, production, v(1)))
      yield* failsWith("VersionNotFound", store.describeVersion(model, v(1), ""))
      yield* failsWith("VersionNotFound", store.deleteVersion(model, v(1)))
      assert.isTrue(Option.isNone(yield* store.findModel(model)))
    }),
  )

  it.effect("models are listed by name in code-unit order, window after window", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const group = uuid()
      const names = ["a", "a-b", "a.b", "a0", "a_b", "aa", "b"].map((part) =>
        ModelName.make(`${part}-${group}`),
      )
      yield* Effect.forEach([...names].reverse(), (name) => store.insertModel({ name }))
      const sorted = [...names].sort()
      const page = (limit: number, after?: ModelName) =>
        Effect.map(store.listModels({ search: group }, { limit, after }), (models) =>
          models.map((model) => model.name),
        )
      assert.deepStrictEqual(yield* page(100), sorted)
      const first = yield* page(3)
      const second = yield* page(3, first[2])
      const third = yield* page(3, second[2])
      assert.deepStrictEqual([first.length, second.length, third.length], [3, 3, 1])
      assert.deepStrictEqual([...first, ...second, ...third], sorted)
      assert.deepStrictEqual(yield* page(3, third[0]), [])
      assert.deepStrictEqual(yield* page(1, ModelName.make(`a-zzz-${group}`)), [
        ModelName.make(`a.b-${group}`),
      ])
    }),
  )

  it.effect("a list is of some models only, when these are named", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const tag = freshName("among")
      const [a = freshName("a"), b = freshName("b")] = yield* Effect.forEach(["x-a", "x-b", "x-c"], (part) =>
        Effect.map(store.insertModel({ name: freshName(part), tags: [tag] }), ({ name }) => name),
      )
      const among = (names: ReadonlyArray<ModelName>, limit = 10) =>
        Effect.map(store.listModels({ tag, among: names }, { limit }), (models) =>
          models.map(({ name }) => name),
        )
      assert.deepStrictEqual(yield* among([b, a]), [a, b].sort())
      assert.deepStrictEqual(yield* among([b, a], 1), [a, b].sort().slice(0, 1))
      assert.deepStrictEqual(yield* among([freshName("none")]), [])
    }),
  )

  it.effect("a search finds part of a name or description, in any case and literally", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const tag = uuid()
      const insert = (description: string) =>
        Effect.map(store.insertModel({ name: freshName("search"), tags: [tag], description }), (m) => m.name)
      const fox = yield* insert("The ÉCLAIR Fox: 100% of a_b in C:\\dir")
      const hen = yield* insert("the hen: 1000 of aXb in C:/dir")
      const search = (text: string) =>
        Effect.map(store.listModels({ search: text, tag }, { limit: 10 }), (models) =>
          models.map((model) => model.name),
        )
      assert.deepStrictEqual(yield* search("THE "), [fox, hen].sort())
      assert.deepStrictEqual(yield* search(""), [fox, hen].sort())
      assert.deepStrictEqual(yield* search("éclair fOX"), [fox])
      assert.deepStrictEqual(yield* search("100% of"), [fox])
      assert.deepStrictEqual(yield* search("a_b"), [fox])
      assert.deepStrictEqual(yield* search("C:\\d"), [fox])
      assert.deepStrictEqual(yield* search("%"), [fox])
      assert.deepStrictEqual(yield* search("the%hen"), [])
      assert.deepStrictEqual(yield* search(fox.slice(4).toUpperCase()), [fox])
      assert.deepStrictEqual(yield* search("'; DROP TABLE models; --"), [])
      assert.deepStrictEqual(yield* search("nul \u0000"), [])
    }),
  )

  it.effect("filters by tag and state, all at once", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const tag = uuid()
      const tagged = yield* store.insertModel({ name: freshName("filter"), tags: ["other", tag] })
      const ready = yield* store.insertModel({ name: freshName("filter"), tags: [tag] })
      const trial = yield* store.insertModel({ name: freshName("filter"), tags: [tag] })
      yield* store.insertModel({ name: freshName("filter"), tags: [`${tag}-longer`] })
      yield* store.insertVersion(draftOf(ready.name))
      yield* store.insertVersion(draftOf(ready.name, { state: "validating" }))
      yield* store.insertVersion(draftOf(trial.name, { state: "validating" }))
      const list = (filter: Parameters<typeof store.listModels>[0]) =>
        Effect.map(store.listModels(filter, { limit: 10 }), (models) => models.map((model) => model.name))
      assert.deepStrictEqual(yield* list({ tag }), [tagged.name, ready.name, trial.name].sort())
      assert.deepStrictEqual(yield* list({ tag, state: "ready" }), [ready.name])
      assert.deepStrictEqual(yield* list({ tag, state: "empty" }), [tagged.name, trial.name].sort())
      assert.deepStrictEqual(yield* list({ tag, state: "ready", search: tagged.name }), [])
      assert.strictEqual((yield* found(store.findModel(ready.name))).state, "ready")
      assert.strictEqual((yield* found(store.findModel(trial.name))).state, "empty")
    }),
  )

  it.effect("filters by a label, whatever characters it and others have", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const tag = uuid()
      const insert = (labels: Record<string, string>) =>
        Effect.map(store.insertModel({ name: freshName("label"), tags: [tag], labels }), (m) => m.name)
      const plain = yield* insert({ team: "vision", "a:b": "c" })
      const odd = yield* insert({ team: oddText, nul: "\0", "\0": "", half: "\ud83e" })
      yield* insert({ vision: "team", teams: "vision", other: '"team":"vision"' })
      const list = (label: string) =>
        Effect.map(store.listModels({ label, tag }, { limit: 10 }), (models) =>
          models.map(({ name }) => name),
        )
      assert.deepStrictEqual(yield* list("team:vision"), [plain])
      assert.deepStrictEqual(yield* list("a:b:c"), [plain])
      assert.deepStrictEqual(yield* list(`team:${oddText}`), [odd])
      assert.deepStrictEqual(yield* list("nul:\0"), [odd])
      for (const label of ["team:", ":vision", "team:vis", "eam:vision", "", "TEAM:vision"])
        assert.deepStrictEqual(yield* list(label), [])
      yield* store.updateModel(plain, { description: "its labels stay" })
      assert.deepStrictEqual(yield* list("team:vision"), [plain])
      yield* store.updateModel(plain, { labels: { team: "sound" } })
      assert.deepStrictEqual(yield* list("team:vision"), [])
      assert.deepStrictEqual(yield* list("team:sound"), [plain])
    }),
  )

  it.effect("an update changes the members it names, and updatedAt", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const before = yield* store.insertModel({
        name: freshName("update"),
        description: "old",
        tags: ["a"],
        labels: { k: "v" },
      })
      yield* Effect.sleep("2 millis")
      const described = yield* store.updateModel(before.name, { description: "new" })
      assert.deepStrictEqual(
        [described.description, described.tags, described.labels],
        ["new", ["a"], { k: "v" }],
      )
      assert.isTrue(DateTime.isGreaterThan(described.updatedAt, before.updatedAt))
      assert.isTrue(DateTime.Equivalence(described.createdAt, before.createdAt))
      const cleared = yield* store.updateModel(before.name, { tags: [], labels: {} })
      assert.deepStrictEqual([cleared.description, cleared.tags, cleared.labels], ["new", [], {}])
      assert.deepStrictEqual(yield* store.findModel(before.name), Option.some(cleared))
      yield* store.insertVersion(draftOf(before.name, { alias: production }))
      const after = yield* found(store.findModel(before.name))
      assert.isTrue(DateTime.Equivalence(after.updatedAt, cleared.updatedAt))
    }),
  )

  it.effect("a config replaces the one before, for the model and its routes, and nothing else", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const model = yield* withVersions("config", 1)
      const before = yield* found(store.findModel(model))
      assert.deepStrictEqual(before.config, {})
      const config: ModelConfig = {
        batching: { maxBatchSize: 8, maxDelayMs: 2 },
        queue: { maxDepth: 10, maxBytes: 2 ** 40, timeoutMs: 5000 },
        runLimitMs: 100,
        execution: "inline",
        warmup: { runs: 2, inputs: { x: [[0.1, oddText, null, [true]]] } },
      }
      yield* Effect.sleep("2 millis")
      const configured = yield* store.setConfig(model, config)
      assert.deepStrictEqual(configured.config, config)
      assert.isTrue(DateTime.isGreaterThan(configured.updatedAt, before.updatedAt))
      assert.deepStrictEqual({ ...configured }, { ...before, config, updatedAt: configured.updatedAt })
      assert.deepStrictEqual(yield* store.findModel(model), Option.some(configured))
      assert.deepStrictEqual((yield* found(store.findRoutes(model))).config, config)
      yield* store.setConfig(model, { instances: 2, intraOpThreads: 1 })
      assert.deepStrictEqual((yield* found(store.findModel(model))).config, {
        instances: 2,
        intraOpThreads: 1,
      })
      yield* failsWith("ModelNotFound", store.setConfig(freshName("none"), config))
    }),
  )

  it.effect("a deleted model takes everything with it, and its name starts anew", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const model = yield* withVersions("deleted", 2)
      const trial = draftOf(model, { state: "validating", alias: canary })
      yield* store.insertVersion(trial)
      yield* store.setAlias(model, production, v(2))
      yield* store.deleteModel(model)
      assert.isTrue(Option.isNone(yield* store.findModel(model)))
      assert.isTrue(Option.isNone(yield* store.findRoutes(model)))
      assert.isTrue(Option.isNone(yield* store.findVersion(model, v(1))))
      assert.isTrue(Option.isNone(yield* store.findDigest(model, trial.digest)))
      assert.deepStrictEqual(yield* store.listVersions(model, { limit: 10 }), [])
      assert.notInclude(
        (yield* store.listValidating).map((version) => version.model),
        model,
      )
      yield* failsWith("ModelNotFound", store.deleteModel(model))
      const again = yield* store.insertModel({ name: model })
      assert.deepStrictEqual([again.latestVersion, again.aliases], [null, {}])
      assert.strictEqual((yield* store.insertVersion(trial)).version, 1)
    }),
  )
}
