/** What the tests of `RegistryStore` start from. Every name is fresh: stores outlive a run. */
import { assert } from "@effect/vitest"
import { Effect, type Option } from "effect"
import { AliasName, ModelName } from "../model/Names.ts"
import type { Signature } from "../model/Signature.ts"
import { Digest, type ModelSummary, VersionNumber } from "../model/Version.ts"
import type { RegistryReason } from "../registry/RegistryError.ts"
import { RegistryStore, type Routes, type VersionDraft } from "../registry/RegistryStore.ts"

export const uuid = () => crypto.randomUUID()
export const freshName = (prefix: string) => ModelName.make(`${prefix}-${uuid()}`)
export const freshDigest = () => Digest.make(`${uuid()}${uuid()}`.replaceAll("-", ""))
export const v = (version: number) => VersionNumber.make(version)
export const production = AliasName.make("production")
export const canary = AliasName.make("canary")
/** Characters that a careless store changes, refuses or takes for syntax. */
export const oddText = `é 漢 🦊 " ' \\ % _ \n $1 {a,b} NULL`

const signature: Signature = {
  inputs: [{ name: "x \u0000 'y'", datatype: "FP32", shape: ["batch", 3, -1] }],
  outputs: [{ name: "label", datatype: "INT64", shape: [] }],
}

/** Callers of a version with `signature` fail with one that has this. */
export const otherSignature: Signature = {
  ...signature,
  inputs: [{ name: "x \u0000 'y'", datatype: "INT64", shape: ["batch", 3, -1] }],
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

export const draftOf = (model: ModelName, fields: Partial<VersionDraft> = {}): VersionDraft => ({
  model,
  digest: freshDigest(),
  size: 3_000_000_000,
  state: "ready",
  signature,
  summary,
  graph: JSON.stringify({ views: [], complete: false, notes: [`${oddText}\u0000`] }),
  description: oddText,
  createdBy: "someone@example.com",
  createModel: false,
  alias: null,
  force: false,
  ...fields,
})

export const failure = <A, R>(effect: Effect.Effect<A, { readonly reason: RegistryReason }, R>) =>
  Effect.map(Effect.flip(effect), (error) => error.reason)

export const failsWith = <A, R>(
  tag: RegistryReason["_tag"],
  effect: Effect.Effect<A, { readonly reason: RegistryReason }, R>,
) => Effect.map(failure(effect), (reason) => assert.strictEqual(reason._tag, tag))

/** `done`, or the tag of the reason. */
export const outcome = <A, R>(effect: Effect.Effect<A, { readonly reason: RegistryReason }, R>) =>
  Effect.match(effect, { onSuccess: () => "done", onFailure: (error) => error.reason._tag })

/** A model with versions 1 to `count`, all ready. */
export const withVersions = Effect.fnUntraced(function* (prefix: string, count: number) {
  const store = yield* RegistryStore
  const model = freshName(prefix)
  yield* store.insertModel({ name: model })
  for (let i = 0; i < count; i++) yield* store.insertVersion(draftOf(model))
  return model
})

export const found = <A, E>(effect: Effect.Effect<Option.Option<A>, E>) =>
  Effect.flatMap(effect, (option) => Effect.orDie(Effect.fromOption(option)))

/** Aliases and the numbers they point at. */
export const pointers = ({ aliases }: Pick<Routes, "aliases">): Record<string, number> =>
  Object.fromEntries(Object.entries(aliases))
