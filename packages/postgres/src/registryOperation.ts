/** Operations of the registry. */
import { RegistryError } from "@modelforge/core"
import { operationsOf } from "./storeOperation.ts"

export const { read, write } = operationsOf(
  "PostgresRegistryStore",
  (reason) => new RegistryError({ reason }),
)
