/** What must be true of a registry at any moment, whatever was cut off before, as its clients see it. */
import { createHash } from "node:crypto"
import { assert } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { get, send, type Target } from "./http.ts"

const Model = Schema.Struct({
  latestVersion: Schema.NullOr(Schema.Int),
  aliases: Schema.Record(Schema.String, Schema.Int),
})
const Versions = Schema.Struct({
  items: Schema.Array(Schema.Struct({ version: Schema.Int, digest: Schema.String, state: Schema.String })),
})
const Moves = Schema.Struct({
  items: Schema.Array(
    Schema.Struct({ move: Schema.Int, from: Schema.NullOr(Schema.Int), version: Schema.NullOr(Schema.Int) }),
  ),
})

/** Where aliases point, and the states of versions by number. */
export interface RegistryState {
  readonly aliases: Readonly<Record<string, number>>
  readonly versions: Readonly<Record<number, string>>
}

const ask = <A>(target: Target, path: string, schema: Schema.Codec<A, unknown>) =>
  Effect.flatMap(get(target, path), ({ json }) => Schema.decodeUnknownEffect(schema)(json))

const wine = "/v1/models/wine"

/** The state of the model `wine`; empty when there is none. */
export const stateOf = Effect.fnUntraced(function* (target: Target) {
  if ((yield* get(target, wine)).status === 404) return { aliases: {}, versions: {} } satisfies RegistryState
  const { aliases } = yield* ask(target, wine, Model)
  const { items } = yield* ask(target, `${wine}/versions?limit=200`, Versions)
  return {
    aliases,
    versions: Object.fromEntries(items.map(({ version, state }) => [version, state])),
  } satisfies RegistryState
})

const infer = (target: Target, version: number | string) =>
  send(target, "POST", `/v2/models/wine/versions/${version}/infer`, {
    json: { inputs: [{ name: "features", datatype: "FP32", shape: [1, 13], data: Array(13).fill(1) }] },
  })

/** Every move begins where the one before ended, none is missing, and the last one is where the alias points. */
const checkHistory = Effect.fnUntraced(function* (target: Target, alias: string, now: number | undefined) {
  const { status, json } = yield* get(target, `${wine}/aliases/${alias}/history?limit=200`)
  if (status === 404) return assert.isUndefined(now, `${alias} has no history`)
  const { items } = yield* Schema.decodeUnknownEffect(Moves)(json)
  assert.strictEqual(items[0]?.version ?? undefined, now, `${alias} points where its last move says`)
  for (const [index, { move, from }] of items.entries()) {
    const before = items[index + 1]
    if (before === undefined) continue
    assert.deepStrictEqual(
      [before.move, before.version],
      [move - 1, from],
      `the history of ${alias} is a chain`,
    )
  }
})

/**
 * Checks the model `wine`: aliases point at versions that are ready and answer, histories are chains that end there,
 * every version has its bytes, and no number is above the highest given. Gives what it found.
 */
export const checkRegistry = Effect.fnUntraced(function* (target: Target, aliases: ReadonlyArray<string>) {
  const state = yield* stateOf(target)
  const numbers = Object.keys(state.versions).map(Number)
  if (numbers.length > 0) {
    const { latestVersion } = yield* ask(target, wine, Model)
    assert.isAtLeast(latestVersion ?? 0, Math.max(...numbers))
    const { items } = yield* ask(target, `${wine}/versions?limit=200`, Versions)
    for (const { version, digest } of items) {
      const { bytes } = yield* get(target, `${wine}/versions/${version}/artifact`)
      assert.strictEqual(createHash("sha256").update(bytes).digest("hex"), digest)
    }
  }
  for (const [alias, version] of Object.entries(state.aliases)) {
    assert.strictEqual(state.versions[version], "ready", `${alias} points at version ${version}`)
    const answer = yield* infer(target, alias)
    assert.deepStrictEqual(
      [answer.status, answer.headers["modelforge-model-version"]],
      [200, String(version)],
    )
  }
  for (const alias of aliases) yield* checkHistory(target, alias, state.aliases[alias])
  return state
})
