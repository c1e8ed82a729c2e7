/** Registers the example models. */
import { createHash } from "node:crypto"
import { fileURLToPath } from "node:url"
import { AliasName, ModelName, productionAlias, RoutingTable, Uploads } from "@modelforge/core"
import { type ExampleModel, exampleModels } from "@modelforge/example-models"
import { Effect, FileSystem, Result, Stream } from "effect"

/** Each example becomes a version with the alias `production`, unless its bytes are one already. */
export const registerExamples = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const uploads = yield* Uploads
  const routing = yield* RoutingTable

  const register = Effect.fnUntraced(function* ({ name, description, file }: ExampleModel) {
    const bytes = yield* fs.readFile(fileURLToPath(file))
    const served = Result.getOrUndefined(routing.resolve(name, productionAlias))
    // At every start but the first: known from memory, without writing the file anywhere.
    if (served?.digest === createHash("sha256").update(bytes).digest("hex")) return
    yield* uploads
      .receive({
        model: ModelName.make(name),
        bytes: Stream.make(bytes),
        createModel: true,
        alias: AliasName.make(productionAlias),
        description,
      })
      .pipe(Effect.catchReason("RegistryError", "DuplicateVersion", () => Effect.void))
  })

  yield* Effect.forEach(exampleModels, register, { concurrency: "unbounded", discard: true })
}).pipe(Effect.withSpan("registerExamples"))
