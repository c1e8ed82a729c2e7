#!/usr/bin/env node
/** The `modelforge` command. */
import { createRequire } from "node:module"
import { constants } from "node:os"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { countBuffersWithHeap } from "@modelforge/http/node"
import { Cause, Effect, Exit, Logger, Predicate, Runtime } from "effect"
import { CliOutput, Command } from "effect/cli"
import { auditCommand } from "./access/auditCommand.ts"
import { keysCommand } from "./access/keysCommand.ts"
import { usersCommand } from "./access/usersCommand.ts"
import { makePushCommand } from "./push/pushCommand.ts"
import { resolveSettings, serveFlags } from "./ServeSettings.ts"
import { serve } from "./serve.ts"
import type { StopSignal } from "./stopSignal.ts"

const { version } = createRequire(import.meta.url)("../package.json") as { readonly version: string }

const exitAtOnce = (signal: StopSignal) => process.exit(128 + constants.signals[signal])

const serveCommand = Command.make("serve", serveFlags, (flags) =>
  Effect.flatMap(resolveSettings(flags), (settings) => {
    countBuffersWithHeap()
    return serve(settings, { version, onSecondSignal: exitAtOnce })
  }),
).pipe(Command.withDescription("Serve models over HTTP"))

const modelforge = Command.make("modelforge").pipe(
  Command.withDescription("The model server that lives inside a TypeScript application"),
  Command.withSubcommands([
    serveCommand,
    makePushCommand(exitAtOnce),
    keysCommand,
    usersCommand,
    auditCommand,
  ]),
)

/** The CLI speaks of flags only, also where the value came from a variable. */
const describeUsage = ({ message }: Error) =>
  message
    .replaceAll(/\s+/g, " ")
    .replace(/^Invalid value for flag \S+ "config"\. Expected: SchemaError\((.*) at \["(\w+)"\]\)$/, "$2: $1")

/** What is wrong with flags or variables, in one line: the whole help would bury it. */
const layerPresenter = CliOutput.layerPresenter({
  present: (event) =>
    event._tag === "InvalidInvocation"
      ? Effect.sync(() => {
          const problems = event.errors.map(describeUsage).join("; ")
          process.stderr.write(`modelforge: ${problems} (see ${event.commandPath.join(" ")} --help)\n`)
        })
      : CliOutput.defaultPresenter.present(event),
})

/** One line for a failure that has a message for people; all there is for one that should not happen. */
const report = (cause: Cause.Cause<unknown>): number => {
  const error = Cause.squash(cause)
  const exitCode = Predicate.hasProperty(error, Runtime.errorExitCode)
    ? Number(error[Runtime.errorExitCode])
    : 1
  const isShown = Predicate.hasProperty(error, "_tag") && String(error._tag).includes("ShowHelp")
  if (!isShown)
    process.stderr.write(
      Cause.hasDies(cause) || !(error instanceof Error)
        ? `modelforge failed unexpectedly\n${Cause.pretty(cause)}\n`
        : `modelforge: ${error.message}\n`,
    )
  return exitCode
}

Effect.runFork(
  Command.run(modelforge, { version }).pipe(
    Effect.provide([NodeServices.layer, layerPresenter]),
    // Standard output has the lines people and scripts wait for; everything else goes beside it.
    Effect.provideService(Logger.LogToStderr, true),
  ),
).addObserver((exit) => process.exit(Exit.isSuccess(exit) ? 0 : report(exit.cause)))
