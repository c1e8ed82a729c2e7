/** The behaviour of every `ArtifactStore`: a store is supported when this passes on it. */
import { layer as withLayer } from "@effect/vitest"
import type { Layer } from "effect"
import type { Needs } from "./ArtifactStoreFixtures.ts"
import { removingTests, verifyingTests } from "./ArtifactStoreKeeping.ts"
import { refusingTests, stagingTests, storingTests } from "./ArtifactStoreStaging.ts"

/** Registers the tests; call it at the top of a test file. The layer is built once. */
export const suite = <E>(name: string, storeLayer: Layer.Layer<Needs, E>) =>
  withLayer(storeLayer, { timeout: "60 seconds", excludeTestServices: true })(
    `ArtifactStore (${name})`,
    (it) => {
      storingTests(it)
      stagingTests(it)
      refusingTests(it)
      verifyingTests(it)
      removingTests(it)
    },
  )
