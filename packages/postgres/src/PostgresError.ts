/**
 * Why PostgreSQL could not be opened. The messages are for the operator who starts the process: they name the server
 * and the user, never the password.
 */
import { Schema } from "effect"

export class InvalidUrl extends Schema.TaggedError<InvalidUrl>()("InvalidUrl", {
  detail: Schema.String,
}) {
  override get message() {
    return `The URL of the database cannot be used: ${this.detail}. It looks like postgres://user:password@host:5432/database`
  }
}

/** No session: the server is not there, does not answer in time, or turns this client away. */
export class CannotConnect extends Schema.TaggedError<CannotConnect>()("CannotConnect", {
  /** Host and port, or the path of a socket. */
  server: Schema.String,
  user: Schema.String,
  detail: Schema.String,
}) {
  override get message() {
    return (
      `Could not connect to PostgreSQL at ${this.server} as user "${this.user}": ${this.detail}. ` +
      "Check that the server runs and can be reached from here, and the URL of the database"
    )
  }
}

export class LoginRefused extends Schema.TaggedError<LoginRefused>()("LoginRefused", {
  server: Schema.String,
  user: Schema.String,
  detail: Schema.String,
}) {
  override get message() {
    return (
      `PostgreSQL at ${this.server} refused user "${this.user}": ${this.detail}. ` +
      "Check the user and the password in the URL of the database"
    )
  }
}

/** Nothing of the failed run remains; the next start tries again. */
export class MigrationFailed extends Schema.TaggedError<MigrationFailed>()("MigrationFailed", {
  detail: Schema.String,
  cause: Schema.Defect(),
}) {
  override get message() {
    return `The database could not be brought up to date: ${this.detail}`
  }
}

export class PostgresError extends Schema.TaggedError<PostgresError>()("PostgresError", {
  reason: Schema.Union([InvalidUrl, CannotConnect, LoginRefused, MigrationFailed]),
}) {
  override get message() {
    return this.reason.message
  }
}
