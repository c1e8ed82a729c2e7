/** Operations of keys, users and the audit log. */
import { AccessError } from "@modelforge/core"
import { operationsOf } from "./storeOperation.ts"

export const { read, write } = operationsOf("PostgresAccessStore", (reason) => new AccessError({ reason }))
