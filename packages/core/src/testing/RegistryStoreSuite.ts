/**
 * The behaviour of every `RegistryStore`, one test a promise of the contract. Stores outlive a run: every test makes
 * names of its own and looks only at those, so the suite may run again and again on one database.
 */
import { assert, layer as withLayer } from "@effect/vitest"
import { DateTime, Effect, type Layer, Option } from "effect"
import { AliasName, ModelName } from "../model/Model.ts"
import type { Signature } from "../model/Signature.ts"
import { Digest, type ModelSummary, VersionNumber } from "../model/Version.ts"
import type { RegistryReason } from "../registry/RegistryError.ts"
import { RegistryStore, type VersionDraft } from "../registry/RegistryStore.ts"

const uuid = () => crypto.randomUUID()
const freshName = (prefix: string) => ModelName.make(`${prefix}-${uuid()}`)
const freshDigest = () => Digest.make(`${uuid()}${uuid()}`.replaceAll("-", ""))
const v = (version: number) => VersionNumber.make(version)
const production = AliasName.make("production")
const canary = AliasName.make("canary")
/** Characters that a careless store changes, refuses or takes for syntax. */
const oddText = `é 漢 🦊 " ' \\ % _ \n $1 {a,b} NULL`

const signature: Signature = {
  inputs: [{ name: "x \u0000 'y'", datatype: "FP32", shape: ["batch", 3, -1] }],
  outputs: [{ name: "label", datatype: "INT64", shape: [] }],
}

const summary: ModelSummary = {
  irVersion: 10,
  opsets: { "ai.onnx": 21, "ai.onnx.ml": 3 },
  producer: "skl2onnx \u0000",
  parameters: Number.MAX_SAFE_INTEGER,
  nodes: 2,
  operators: { MatMul: 1, "com.microsoft.Gelu": 1 },
  metadata: { some_key: oddText, someKey: "" },
  docString: "",
}

const draftOf = (model: ModelName, fields: Partial<VersionDraft> = {}): VersionDraft => ({
  model,
  digest: freshDigest(),
  size: 3_000_000_000,
  state: "ready",
  signature,
  summary,
  description: oddText,
  createdBy: "someone@example.com",
  createModel: false,
  alias: null,
  ...fields,
})

const failure = <A, R>(effect: Effect.Effect<A, { readonly reason: RegistryReason }, R>) =>
  Effect.map(Effect.flip(effect), (error) => error.reason)

const failsWith = <A, R>(
  tag: RegistryReason["_tag"],
  effect: Effect.Effect<A, { readonly reason: RegistryReason }, R>,
) => Effect.map(failure(effect), (reason) => assert.strictEqual(reason._tag, tag))

/** A model with versions 1 to `count`, all ready. */
const withVersions = Effect.fnUntraced(function* (prefix: string, count: number) {
  const store = yield* RegistryStore
  const model = freshName(prefix)
  yield* store.insertModel({ name: model })
  for (let i = 0; i < count; i++) yield* store.insertVersion(draftOf(model))
  return model
})

const found = <A, E>(effect: Effect.Effect<Option.Option<A>, E>) =>
  Effect.flatMap(effect, (option) => Effect.orDie(Effect.fromOption(option)))

/** Registers the tests; call it at the top of a test file. The layer is built once. */
export const suite = <E>(name: string, storeLayer: Layer.Layer<RegistryStore, E>) =>
  withLayer(storeLayer, { timeout: "60 seconds", excludeTestServices: true })(
    `RegistryStore (${name})`,
    (it) => {
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

      it.effect("a search finds part of a name or description, in any case and literally", () =>
        Effect.gen(function* () {
          const store = yield* RegistryStore
          const tag = uuid()
          const insert = (description: string) =>
            Effect.map(
              store.insertModel({ name: freshName("search"), tags: [tag], description }),
              (m) => m.name,
            )
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

      it.effect("a version comes back as it was committed", () =>
        Effect.gen(function* () {
          const store = yield* RegistryStore
          const model = yield* withVersions("commit", 0)
          const { createModel: _, alias: __, ...facts } = draftOf(model)
          const version = yield* store.insertVersion({ ...facts, createModel: false, alias: null })
          assert.deepInclude({ ...version }, { ...facts, version: v(1), reason: null })
          assert.deepStrictEqual(yield* store.findVersion(model, v(1)), Option.some(version))
          assert.deepStrictEqual(yield* store.findDigest(model, facts.digest), Option.some(v(1)))
          const open = yield* store.insertVersion(draftOf(model, { createdBy: null, description: "" }))
          assert.deepStrictEqual([open.version, open.createdBy, open.description], [2, null, ""])
          assert.isTrue(DateTime.isGreaterThanOrEqualTo(open.createdAt, version.createdAt))
          assert.strictEqual((yield* found(store.findModel(model))).latestVersion, 2)
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
          assert.deepStrictEqual((yield* found(store.findRoutes(model))).aliases, {})
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

      it.effect("the alias of a draft is set when the version is ready, never before or otherwise", () =>
        Effect.gen(function* () {
          const store = yield* RegistryStore
          const model = yield* withVersions("alias", 0)
          const aliases = Effect.map(found(store.findRoutes(model)), (routes) => routes.aliases)
          const commit = (state: "validating" | "ready") =>
            store.insertVersion(draftOf(model, { state, alias: production }))
          yield* commit("ready")
          assert.deepStrictEqual(yield* aliases, { production: v(1) })
          yield* commit("validating")
          yield* commit("validating")
          assert.deepStrictEqual(yield* aliases, { production: v(1) })
          yield* store.settleVersion(model, v(3), { state: "invalid", reason: "no" })
          assert.deepStrictEqual(yield* aliases, { production: v(1) })
          yield* store.settleVersion(model, v(2), { state: "ready" })
          assert.deepStrictEqual(yield* aliases, { production: v(2) })
          yield* commit("ready")
          assert.deepStrictEqual(yield* aliases, { production: v(4) })
          // A second verdict on a settled version must not move the alias back.
          yield* store.settleVersion(model, v(2), { state: "ready" })
          assert.deepStrictEqual(yield* aliases, { production: v(4) })
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
          assert.deepStrictEqual((yield* found(store.findModel(model))).aliases, {
            production: v(2),
            canary: v(2),
          })
          assert.isTrue(yield* store.deleteAlias(model, canary))
          assert.isFalse(yield* store.deleteAlias(model, canary))
          assert.deepStrictEqual((yield* found(store.findModel(model))).aliases, { production: v(2) })
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
          yield* Effect.forEach(
            numbers,
            (version) =>
              Effect.all(
                [
                  Effect.ignore(store.setAlias(model, production, version)),
                  Effect.ignore(store.deleteVersion(model, version)),
                ],
                { concurrency: "unbounded" },
              ),
            { concurrency: "unbounded" },
          )
          const routes = yield* found(store.findRoutes(model))
          for (const target of Object.values(routes.aliases)) {
            assert.include(
              routes.versions.map((version) => version.version),
              target,
            )
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
          assert.deepStrictEqual(routes.aliases, (yield* found(store.findModel(model))).aliases)
          assert.deepStrictEqual(
            routes.versions.map((x) => ({ ...x })),
            (yield* store.listVersions(model, { limit: 10 })).map(
              ({ version, digest, state, reason, signature }) => ({
                version,
                digest,
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
    },
  )
