/** Keys, users, who requests come from, and the audit log. */
import { Layer } from "effect"
import { AuditLog } from "../audit/AuditLog.ts"
import { AccessTable } from "./AccessTable.ts"
import { ApiKeys } from "./ApiKeys.ts"
import { Authentication, type AuthenticationOptions } from "./Authentication.ts"
import { KeyUses } from "./KeyUses.ts"
import { PasswordHasher } from "./PasswordHasher.ts"
import { Users } from "./Users.ts"

/** On the stores of a database, or those in memory. */
export const layerAccess = (options?: AuthenticationOptions) =>
  Layer.mergeAll(ApiKeys.layer, Users.layer, Authentication.layer(options)).pipe(
    Layer.provide([KeyUses.layer, PasswordHasher.layer]),
    Layer.provideMerge([AccessTable.layer, AuditLog.layer]),
  )
