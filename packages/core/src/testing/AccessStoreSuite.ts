/** The behaviour of every `AccessStore`, beside the `AuditStore` and `AccessChanges` that it writes to. */
import { layer as withLayer } from "@effect/vitest"
import type { Layer } from "effect"
import { changeTests } from "./AccessStoreChanges.ts"
import type { Needs } from "./AccessStoreFixtures.ts"
import { keyTests } from "./AccessStoreKeys.ts"
import { userTests } from "./AccessStoreUsers.ts"

/** Registers the tests; call it at the top of a test file. They disable admins, so the database must be the suite's own. */
export const suite = <E>(name: string, storeLayer: Layer.Layer<Needs, E>) =>
  withLayer(storeLayer, { timeout: "60 seconds", excludeTestServices: true })(
    `AccessStore (${name})`,
    (it) => {
      keyTests(it)
      userTests(it)
      changeTests(it)
    },
  )
