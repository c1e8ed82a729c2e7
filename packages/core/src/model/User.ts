/** People who sign in to the dashboard. */
import { Schema } from "effect"
import { Role } from "./Permission.ts"

export const UserId = Schema.String.check(
  Schema.isPattern(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, { message: "a user's id is a UUID" }),
).pipe(Schema.brand("UserId"))
export type UserId = typeof UserId.Type

/** Lower-case, so that nobody exists twice. */
export const Email = Schema.String.check(
  Schema.isMaxLength(254),
  Schema.isPattern(/^[^\s@A-Z]+@[^\s@A-Z]+\.[^\s@A-Z]+$/, {
    message: "an email address is name@domain, in lower case",
  }),
).pipe(Schema.brand("Email"))
export type Email = typeof Email.Type

export class User extends Schema.Class<User>("@modelforge/core/User")({
  id: UserId,
  email: Email,
  name: Schema.String.check(Schema.isMaxLength(100)),
  role: Role,
  /** A disabled user can't sign in, and what was signed for one before is refused. */
  disabled: Schema.Boolean,
  /** Sessions that began in an earlier epoch are over; it grows with every change of role, password or `disabled`. */
  sessionEpoch: Schema.Int,
  createdAt: Schema.DateTimeUtcFromString,
  lastLoginAt: Schema.NullOr(Schema.DateTimeUtcFromString),
}) {}
