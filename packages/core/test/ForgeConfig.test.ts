import { assert, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { ForgeConfig } from "../src/ForgeConfig.ts"

const settings = (overrides?: Parameters<typeof ForgeConfig.layer>[0]) =>
  Effect.gen(function* () {
    return yield* ForgeConfig
  }).pipe(Effect.provide(ForgeConfig.layer(overrides)))

it.effect("has defaults for everything", () =>
  Effect.gen(function* () {
    const defaults = yield* settings()
    assert.deepStrictEqual(defaults, ForgeConfig.defaults)
    assert.strictEqual(defaults.maxArtifactBytes, 2_147_483_647)
    assert.strictEqual(defaults.maxRequestBytes, 67_108_864)
    assert.strictEqual(Duration.toMillis(defaults.validationPatience), 30_000)
  }),
)

it.effect("takes what the host says instead, and leaves the defaults as they are", () =>
  Effect.gen(function* () {
    const { maxArtifactBytes, ...others } = yield* settings({ maxArtifactBytes: 10 })
    const { maxArtifactBytes: standard, ...defaults } = ForgeConfig.defaults
    assert.strictEqual(maxArtifactBytes, 10)
    assert.strictEqual(standard, 2_147_483_647)
    assert.deepStrictEqual(others, defaults)
  }),
)
