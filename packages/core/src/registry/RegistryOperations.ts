/** The operations of a `RegistryStore` by what they are on, so that a store can be put together from parts. */
import type { RegistryStore } from "./RegistryStore.ts"

type Operations = RegistryStore["Service"]

/** Routes are of models too. */
export type ModelOperations = Pick<
  Operations,
  | "insertModel"
  | "findModel"
  | "listModels"
  | "updateModel"
  | "setConfig"
  | "deleteModel"
  | "listRoutes"
  | "findRoutes"
>

export type VersionOperations = Pick<
  Operations,
  | "insertVersion"
  | "findVersion"
  | "findDigest"
  | "findGraph"
  | "findReferred"
  | "forgetReferred"
  | "listVersions"
  | "listValidating"
  | "settleVersion"
  | "describeVersion"
  | "setArchived"
  | "deleteVersion"
>

export type AliasOperations = Pick<Operations, "setAlias" | "listMoves" | "deleteAlias">

export type TrafficOperations = Pick<Operations, "setTraffic" | "listTrafficChanges">
