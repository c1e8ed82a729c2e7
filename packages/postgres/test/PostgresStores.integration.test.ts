import { NodeServices } from "@effect/platform-node"
import { assert, it } from "@effect/vitest"
import { ModelName, RegistryStore } from "@modelforge/core"
import { Effect, Option } from "effect"
import { EmbeddedPostgres } from "../src/embedded/EmbeddedPostgres.ts"
import { layerEmbedded } from "../src/PostgresStores.ts"
import { temporaryFolder } from "./TestPostgres.ts"

const model = ModelName.make("digits")

it.live("an embedded server keeps what was stored, across restarts", () =>
  Effect.gen(function* () {
    const dataDirectory = `${yield* temporaryFolder}/data`
    const stores = layerEmbedded({ dataDirectory })
    const made = yield* RegistryStore.use((store) => store.insertModel({ name: model })).pipe(
      Effect.provide(stores, { local: true }),
    )
    const found = yield* RegistryStore.use((store) => store.findModel(model)).pipe(
      Effect.provide(stores, { local: true }),
    )
    assert.deepStrictEqual(found, Option.some(made))
  }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)),
)

it.live("operations fail while the server is gone, and name no secret", () =>
  Effect.gen(function* () {
    const dataDirectory = `${yield* temporaryFolder}/data`
    yield* Effect.gen(function* () {
      const store = yield* RegistryStore
      const postgres = yield* EmbeddedPostgres
      yield* store.insertModel({ name: model })
      process.kill(postgres.pid, "SIGINT")
      yield* postgres.exited
      const failures = [
        yield* Effect.flip(store.findModel(model)),
        yield* Effect.flip(store.deleteModel(model)),
      ]
      for (const { message, reason } of failures) {
        assert.strictEqual(reason._tag, "StoreUnavailable")
        assert.notInclude(message, dataDirectory)
        assert.notInclude(message, postgres.socketPath)
      }
    }).pipe(Effect.provide(layerEmbedded({ dataDirectory })))
  }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)),
)
