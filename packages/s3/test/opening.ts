/** A store on a stub of S3, for tests that look at what it asks of S3 and what it makes of the answers. */
import { createHash } from "node:crypto"
import { NodeServices } from "@effect/platform-node"
import { type ArtifactError, ArtifactStore, Digest } from "@modelforge/core"
import { Effect, Layer, Logger, Stream } from "effect"
import { layerArtifactStoreS3, type S3ArtifactStoreOptions } from "../src/S3ArtifactStore.ts"
import { optionsFor, S3Stub, temporaryFolder } from "./servers.ts"

/** Opens a store until the scope closes; `log` gets what is said meanwhile. */
export const openStore = (options: S3ArtifactStoreOptions, log: Array<string> = []) =>
  Effect.map(
    Layer.build(
      Layer.fresh(layerArtifactStoreS3(options)).pipe(
        Layer.provide([
          NodeServices.layer,
          Logger.layer([Logger.make(({ message }) => log.push(String(message)))]),
        ]),
      ),
    ),
    (context) => ArtifactStore.pipe(Effect.provideContext(context)),
  ).pipe(Effect.flatten)

export const stubbed = Effect.gen(function* () {
  const stub = new S3Stub()
  const port = yield* stub.start
  const folder = yield* temporaryFolder
  const options = optionsFor(port, folder)
  const log: Array<string> = []
  return { stub, folder, options, log, store: yield* openStore(options, log) }
})

type Store = ArtifactStore["Service"]

export const push = (store: Store, bytes: Uint8Array) =>
  store.stage(Stream.make(bytes), bytes.length).pipe(
    Effect.flatMap(({ commit }) => commit),
    Effect.scoped,
  )

export const digestOf = (bytes: Uint8Array) => Digest.make(createHash("sha256").update(bytes).digest("hex"))

export const keyOf = (bytes: Uint8Array) => {
  const digest = digestOf(bytes)
  return `some/prefix/sha256/${digest.slice(0, 2)}/${digest}`
}

export const reason = <A, R>(effect: Effect.Effect<A, ArtifactError, R>) =>
  Effect.map(Effect.flip(effect), (error) => error.reason)
