/** `modelforge audit`: whether the audit log is as it was written. */
import { Console, Effect } from "effect"
import { Command } from "effect/cli"
import { CommandFailed } from "../command/CommandFailed.ts"
import { printJson } from "../command/output.ts"
import { AccessAdmin } from "./AccessAdmin.ts"
import { accessFlags, layerAccessAdmin } from "./openAccess.ts"

const verify = Command.make("verify", accessFlags, (flags) =>
  Effect.gen(function* () {
    const verdict = yield* AccessAdmin.use(({ verifyAudit }) => verifyAudit)
    if (flags.json)
      yield* printJson(
        verdict._tag === "Intact"
          ? { intact: true, entries: verdict.entries }
          : { intact: false, sequence: verdict.sequence, detail: verdict.detail },
      )
    if (verdict._tag === "Broken")
      return yield* new CommandFailed({
        detail: `The audit log was changed: entry ${verdict.sequence} does not fit: ${verdict.detail}`,
      })
    if (!flags.json) yield* Console.log(`The audit log is intact: ${verdict.entries} entries`)
  }).pipe(Effect.provide(layerAccessAdmin(flags))),
).pipe(Command.withDescription("Check that the audit log is as it was written; exits with 1 when it is not"))

export const auditCommand = Command.make("audit").pipe(
  Command.withDescription("Who did what"),
  Command.withSubcommands([verify]),
)
