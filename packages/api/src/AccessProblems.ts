/**
 * The problems of access: who may do what, keys, users, signing in. As in `Problems.ts`, the `example` of each is what the
 * API's description shows.
 */
import { InputIssue, Role, Scope } from "@modelforge/core/model"
import * as HttpApiError from "effect/http-api/HttpApiError"
import * as Schema from "effect/Schema"
import { urn } from "./urn.ts"

/** No key or token was sent, or one that is not valid. Which of the latter, nobody is told. */
export class UnauthorizedProblem extends HttpApiError.Problem<UnauthorizedProblem>()("UnauthorizedProblem", {
  type: urn("unauthorized"),
  status: 401,
  title: "The request does not say who it is from",
}) {
  static readonly example = {
    detail: "The key or token is not valid: it is wrong, has expired, or was revoked",
  }
}

/** Which of the members is there says what is missing. */
export class ForbiddenProblem extends HttpApiError.Problem<ForbiddenProblem>()(
  "ForbiddenProblem",
  { type: urn("forbidden"), status: 403, title: "The request is not allowed" },
  {
    /** A key needs one of these. */
    scopes: Schema.optionalKey(Schema.Array(Scope)),
    /** A user needs this role at least. */
    role: Schema.optionalKey(Role),
    /** The key is not for this model. */
    model: Schema.optionalKey(Schema.String),
  },
) {
  static readonly example = {
    detail: 'This asks for a key with the scope "write"',
    scopes: ["write" as const],
  }
}

/** One answer for all: no such user, another password, disabled. */
export class LoginRefusedProblem extends HttpApiError.Problem<LoginRefusedProblem>()("LoginRefusedProblem", {
  type: urn("login-refused"),
  status: 401,
  title: "The email address or the password is wrong",
}) {
  static readonly example = { detail: "The email address or the password is wrong" }
}

/** `Retry-After` says when another attempt is looked at. */
export class LockedOutProblem extends HttpApiError.Problem<LockedOutProblem>()("LockedOutProblem", {
  type: urn("locked-out"),
  status: 429,
  title: "Too many attempts to sign in failed",
}) {
  static readonly example = { detail: "Too many attempts to sign in failed: try again in 60 seconds" }
}

export class KeyNotFoundProblem extends HttpApiError.Problem<KeyNotFoundProblem>()(
  "KeyNotFoundProblem",
  { type: urn("key-not-found"), status: 404, title: "Key not found" },
  { key: Schema.String },
) {
  static readonly example = {
    key: "4zk2m8q0xw7c",
    detail: 'There is no key with the id "4zk2m8q0xw7c"',
  }
}

export class KeyRevokedProblem extends HttpApiError.Problem<KeyRevokedProblem>()(
  "KeyRevokedProblem",
  { type: urn("key-revoked"), status: 409, title: "The key was revoked" },
  { key: Schema.String },
) {
  static readonly example = {
    key: "4zk2m8q0xw7c",
    detail: 'The key "4zk2m8q0xw7c" was revoked for good: make a new one',
  }
}

export class UserNotFoundProblem extends HttpApiError.Problem<UserNotFoundProblem>()(
  "UserNotFoundProblem",
  { type: urn("user-not-found"), status: 404, title: "User not found" },
  { user: Schema.String },
) {
  static readonly example = {
    user: "0b0ff7a4-34ab-4a8e-8a4a-6c0f8c8d6b1e",
    detail: 'There is no user with the id "0b0ff7a4-34ab-4a8e-8a4a-6c0f8c8d6b1e"',
  }
}

export class EmailTakenProblem extends HttpApiError.Problem<EmailTakenProblem>()(
  "EmailTakenProblem",
  { type: urn("email-taken"), status: 409, title: "The email address is another user's" },
  { email: Schema.String },
) {
  static readonly example = {
    email: "ada@example.com",
    detail: "There is a user with the email address ada@example.com already",
  }
}

/** Without an admin, nobody could make users or keys any more. */
export class LastAdminProblem extends HttpApiError.Problem<LastAdminProblem>()(
  "LastAdminProblem",
  { type: urn("last-admin"), status: 409, title: "The user is the last admin" },
  { email: Schema.String },
) {
  static readonly example = {
    email: "ada@example.com",
    detail: "ada@example.com is the last admin who is not disabled: make another one first",
  }
}

export class PasswordRefusedProblem extends HttpApiError.Problem<PasswordRefusedProblem>()(
  "PasswordRefusedProblem",
  { type: urn("password-refused"), status: 422, title: "The password can't be taken" },
  { errors: Schema.Array(InputIssue) },
) {
  static readonly example = {
    errors: [{ path: "password", message: "A password has 12 characters at least" }],
    detail: "A password has 12 characters at least",
  }
}
