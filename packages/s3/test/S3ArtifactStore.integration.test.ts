import { NodeServices } from "@effect/platform-node"
import { ArtifactStoreSuite } from "@modelforge/core/testing"
import { Effect, Layer } from "effect"
import { layerArtifactStoreS3 } from "../src/S3ArtifactStore.ts"
import { optionsFor, S3Stub, startS3rver, temporaryFolder } from "./servers.ts"

const storeOn = <E, R>(start: Effect.Effect<number, E, R>) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const [port, folder] = [yield* start, yield* temporaryFolder]
      return layerArtifactStoreS3(optionsFor(port, folder))
    }),
  ).pipe(Layer.provideMerge(NodeServices.layer))

ArtifactStoreSuite.suite("s3rver", storeOn(startS3rver))

ArtifactStoreSuite.suite("a stub of S3", storeOn(new S3Stub().start))
