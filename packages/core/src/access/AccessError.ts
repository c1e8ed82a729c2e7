/** Failures of keys, users and the audit log: one wrapper error, tagged reasons inside. What clients see is decided in `api`. */
import { Schema } from "effect"
import { StoreUnavailable } from "../registry/RegistryError.ts"

export class KeyNotFound extends Schema.TaggedError<KeyNotFound>()("KeyNotFound", { key: Schema.String }) {
  override get message() {
    return `There is no key with the id "${this.key}"`
  }
}

export class KeyRevoked extends Schema.TaggedError<KeyRevoked>()("KeyRevoked", { key: Schema.String }) {
  override get message() {
    return `The key "${this.key}" was revoked for good: make a new one`
  }
}

export class UserNotFound extends Schema.TaggedError<UserNotFound>()("UserNotFound", {
  user: Schema.String,
}) {
  override get message() {
    return `There is no user with the id "${this.user}"`
  }
}

export class EmailTaken extends Schema.TaggedError<EmailTaken>()("EmailTaken", { email: Schema.String }) {
  override get message() {
    return `There is a user with the email address ${this.email} already`
  }
}

/** Without an admin, nobody could make users or keys any more. */
export class LastAdmin extends Schema.TaggedError<LastAdmin>()("LastAdmin", { email: Schema.String }) {
  override get message() {
    return `${this.email} is the last admin who is not disabled: make another one first`
  }
}

export class PasswordRefused extends Schema.TaggedError<PasswordRefused>()("PasswordRefused", {
  detail: Schema.String,
}) {
  override get message() {
    return this.detail
  }
}

/** One answer for all: no such user, another password, disabled, signs in elsewhere. */
export class LoginRefused extends Schema.TaggedError<LoginRefused>()("LoginRefused", {}) {
  override get message() {
    return "The email address or the password is wrong"
  }
}

/** More passwords are waiting to be hashed than this server takes on. */
export class PasswordsBusy extends Schema.TaggedError<PasswordsBusy>()("PasswordsBusy", {}) {
  override get message() {
    return "Too many people are signing in at this moment: try again in a few seconds"
  }
}

/** The key that the operator gave to this process. */
export class OperatorKeyUnusable extends Schema.TaggedError<OperatorKeyUnusable>()(
  "OperatorKeyUnusable",
  {},
) {
  override get message() {
    return "The operator's key cannot be used: it needs 32 to 4096 characters of ASCII without spaces, as random as possible"
  }
}

export const AccessReason = Schema.Union([
  KeyNotFound,
  KeyRevoked,
  UserNotFound,
  EmailTaken,
  LastAdmin,
  PasswordRefused,
  LoginRefused,
  PasswordsBusy,
  OperatorKeyUnusable,
  StoreUnavailable,
])
export type AccessReason = typeof AccessReason.Type

export class AccessError extends Schema.TaggedError<AccessError>()("AccessError", {
  reason: AccessReason,
}) {
  override get message() {
    return this.reason.message
  }
}
