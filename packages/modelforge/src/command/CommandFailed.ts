import { Runtime, Schema } from "effect"

/** It could not be done, in words for whoever typed the command. */
export class CommandFailed extends Schema.TaggedError<CommandFailed>()("CommandFailed", {
  detail: Schema.String,
  /** What the process exits with. Default: 1. */
  exitCode: Schema.optionalKey(Schema.Int),
}) {
  override readonly [Runtime.errorExitCode]: number = this.exitCode ?? 1
  override get message() {
    return this.detail
  }
}
