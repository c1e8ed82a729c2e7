/** What follows from a change of a user, the same in every store. */

import type { AuditEvent } from "../audit/AuditDraft.ts"
import { userView } from "../audit/accessEntries.ts"
import type { User } from "../model/User.ts"
import type { UserPatch } from "./AccessStore.ts"

export const isEnabledAdmin = ({ role, disabled }: Pick<User, "role" | "disabled">) =>
  role === "admin" && !disabled

/** Whether sessions from before the change are over. */
export const beginsEpoch = (user: User, { role, disabled, passwordHash }: UserPatch): boolean =>
  passwordHash !== undefined ||
  (role !== undefined && role !== user.role) ||
  (disabled !== undefined && disabled !== user.disabled)

/** That the password was changed is told, and nothing of either. */
export const patchEntry = (before: User, after: User, { passwordHash }: UserPatch): AuditEvent => ({
  action: "user.updated",
  target: { type: "user", id: before.email },
  before: userView(before),
  after: { ...userView(after), ...(passwordHash === undefined ? {} : { passwordChanged: true }) },
})
