/** Registers the example models. */

import { fileURLToPath } from "node:url"
import { AliasName, ModelName, UploadInterrupted, Uploads } from "@modelforge/core"
import { exampleModels } from "@modelforge/example-models"
import { Effect, FileSystem, Stream } from "effect"

/** Each example becomes a version with the alias `production`, unless its bytes are one already. */
export const registerExamples = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const uploads = yield* Uploads
  yield* Effect.forEach(
    exampleModels,
    ({ name, description, file }) =>
      uploads
        .receive({
          model: ModelName.make(name),
          bytes: Stream.mapError(
            fs.stream(fileURLToPath(file)),
            () => new UploadInterrupted({ detail: "its file can't be read" }),
          ),
          createModel: true,
          alias: AliasName.make("production"),
          description,
        })
        .pipe(Effect.catchReason("RegistryError", "DuplicateVersion", () => Effect.void)),
    { concurrency: "unbounded", discard: true },
  )
}).pipe(Effect.withSpan("registerExamples"))
