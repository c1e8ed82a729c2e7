import { NodeServices } from "@effect/platform-node"
import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { digestOf, World } from "../../core/test/fakes.ts"
import { model, production, push } from "../../core/test/registry/uploading.ts"
import { layer } from "../src/PostgresStores.ts"
import { freshDatabase, temporaryFolder, testServer } from "./TestPostgres.ts"

const server = testServer()

it.live("50 uploads to one model at once, in two processes, become versions 1 to 50", () =>
  Effect.gen(function* () {
    const url = yield* freshDatabase(yield* server)
    const directory = yield* temporaryFolder
    // Each with a pool of its own, and one artifact store, as replicas have them.
    const open = Effect.map(
      Layer.build(Layer.fresh(layer({ url }))),
      (stores) => new World(directory, stores, {}),
    )
    const [one, two] = [yield* open, yield* open]
    const uploadsTo = (world: World, process: string) =>
      world.open(
        Effect.forEach(
          Array.from({ length: 25 }, (_, index) => `upload ${process} ${index}`),
          (content) => push(content, { alias: production }),
          { concurrency: "unbounded" },
        ),
      )
    const uploaded = (yield* Effect.all([uploadsTo(one, "a"), uploadsTo(two, "b")], {
      concurrency: 2,
    })).flat()
    const numbers = Array.from({ length: 50 }, (_, index) => index + 1)
    assert.deepStrictEqual(
      uploaded.map(({ version }) => Number(version)).sort((a, b) => a - b),
      numbers,
    )
    assert.strictEqual(new Set(uploaded.map(({ digest }) => digest)).size, 50)
    assert.sameMembers(
      yield* one.artifacts,
      uploaded.map(({ digest }) => digest),
    )
    assert.include(yield* one.artifacts, digestOf("upload a 0"))
    // The alias went with each of them, in the order of the numbers.
    const moves = yield* one.store.listMoves(model, production, { limit: 100 })
    assert.deepStrictEqual(
      moves.map(({ version }) => Number(version)),
      numbers.toReversed(),
    )
  }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)),
)
