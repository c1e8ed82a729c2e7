/** The behaviour of every `RegistryStore`: a store is supported when this passes on it. */
import { layer as withLayer } from "@effect/vitest"
import type { Layer } from "effect"
import type { RegistryStore } from "../registry/RegistryStore.ts"
import { aliasTests } from "./RegistryStoreAliases.ts"
import { expectationTests } from "./RegistryStoreExpectations.ts"
import { modelTests } from "./RegistryStoreModels.ts"
import { moveTests } from "./RegistryStoreMoves.ts"
import { trafficTests } from "./RegistryStoreTraffic.ts"
import { versionTests } from "./RegistryStoreVersions.ts"

/**
 * Registers the tests; call it at the top of a test file. The layer is built once. Every test makes names of its own
 * and looks only at those, so the suite may run again and again on one database.
 */
export const suite = <E>(name: string, storeLayer: Layer.Layer<RegistryStore, E>) =>
  withLayer(storeLayer, { timeout: "60 seconds", excludeTestServices: true })(
    `RegistryStore (${name})`,
    (it) => {
      modelTests(it)
      versionTests(it)
      aliasTests(it)
      moveTests(it)
      trafficTests(it)
      expectationTests(it)
    },
  )
