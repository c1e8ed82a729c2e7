/** `modelforge push`: uploads a model file to a running server, and goes on where it was cut off. */
import { constants } from "node:os"
import { VersionResource } from "@modelforge/api"
import { AliasName, Description, Labels, ModelName } from "@modelforge/core"
import { Console, Effect, FileSystem, Option, Schema } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import type { HttpClient } from "effect/http"
import { CommandFailed } from "../command/CommandFailed.ts"
import { printJson } from "../command/output.ts"
import { findServer, layerServerClient, type ServerFlags, serverFlags } from "../command/ServerAddress.ts"
import { type StopSignal, stopSignal } from "../stopSignal.ts"
import { lookAtModelFile } from "./ModelFile.ts"
import { makeProgress } from "./Progress.ts"
import { makePersistence } from "./persistence.ts"
import { failed, makeAsk, TryAgain } from "./ServerRequests.ts"
import { makeSettle } from "./settle.ts"
import { makeTransfer } from "./transfer.ts"
import { makeUploadMemory, stateFolder } from "./UploadMemory.ts"

const modelFlag = Flag.String("model").pipe(
  Flag.withDescription("The model that the file is the next version of; it is made when there is none"),
  Flag.filterMap(
    (text) => ModelName.makeOption(text),
    () => "1 to 63 of a-z, 0-9, '.', '_' and '-', beginning with a letter or digit",
  ),
)

const aliasFlag = Flag.String("alias").pipe(
  Flag.withDescription("Points at the version once it is ready; may be repeated"),
  Flag.filterMap(
    (text) => AliasName.makeOption(text),
    () => "1 to 63 of a-z, 0-9, '_' and '-', beginning with a letter or digit, and not only digits",
  ),
  Flag.atLeast(0),
)

const descriptionFlag = Flag.String("description").pipe(
  Flag.withDescription("What is to be said of the version"),
  Flag.optional,
)

const labelFlag = Flag.KeyValuePair("label").pipe(
  Flag.withDescription("A label of the model, as key=value, beside those it has; may be repeated"),
  Flag.withDefault({}),
)

const flags = {
  file: Argument.String("file").pipe(Argument.withDescription("The model's ONNX file")),
  model: modelFlag,
  alias: aliasFlag,
  force: Flag.Boolean("force").pipe(
    Flag.withDescription("Move aliases even if their callers may fail with the file"),
    Flag.withDefault(false),
  ),
  label: labelFlag,
  description: descriptionFlag,
  ...serverFlags("the one that has the data folder"),
  json: Flag.Boolean("json").pipe(Flag.withDescription("Print JSON"), Flag.withDefault(false)),
}

interface PushFlags extends ServerFlags {
  readonly file: string
  readonly model: ModelName
  readonly alias: ReadonlyArray<AliasName>
  readonly force: boolean
  readonly label: Readonly<Record<string, string>>
  readonly description: Option.Option<string>
  readonly json: boolean
}

/** With the server as it is now: one that has the data folder has another socket after each start. */
const withServer =
  (flags: ServerFlags) =>
  <A, E, R>(use: Effect.Effect<A, E, R | HttpClient.HttpClient>) =>
    Effect.gen(function* () {
      const server = yield* findServer(flags)
      if (Option.isNone(server))
        return yield* new TryAgain({
          detail: `No server has the data folder ${flags.dataDir}: start one with "modelforge serve", or name one with --url`,
          answered: false,
        })
      return yield* Effect.provide(use, layerServerClient(server.value))
    })

/** What tells the server from others; the data folder stays when its socket changes. */
const identityOf = Effect.fnUntraced(function* ({ url, dataDir }: ServerFlags) {
  if (Option.isSome(url)) return url.value.replace(/\/+$/, "")
  const fs = yield* FileSystem.FileSystem
  return yield* Effect.orElseSucceed(fs.realPath(dataDir), () => dataDir)
})

/** Before anything is sent; as errors of flags they would be shown with the whole text. */
const checkWords = ({ description, label }: PushFlags) => {
  if (!Option.match(description, { onNone: () => true, onSome: Schema.is(Description) }))
    return Effect.fail(new CommandFailed({ detail: "--description: it has more than 4096 characters" }))
  return Schema.is(Labels)(label)
    ? Effect.void
    : Effect.fail(new CommandFailed({ detail: "--label: a value has more than 256 characters" }))
}

/** How far a push is, for what is said when it ends early. */
interface Reached {
  /** Whether the same command can go on. */
  isKept: Effect.Effect<boolean>
  version: number | undefined
}

const push = Effect.fnUntraced(
  function* (flags: PushFlags, reached: Reached) {
    yield* checkWords(flags)
    const { model, force } = flags
    const [alias = null, ...aliases] = [...new Set(flags.alias)]
    const description = Option.getOrNull(flags.description)
    const found = yield* lookAtModelFile(flags.file)
    const progress = yield* makeProgress(found.name, found.size)
    const file = yield* found.hashed(progress.read)
    const memory = yield* makeUploadMemory(yield* stateFolder, [
      yield* identityOf(flags),
      model,
      file.digest,
      alias,
      force,
      description,
    ])
    reached.isKept = memory.isKept

    const { persist, progressed } = makePersistence(progress.tell)
    const asking = withServer(flags)
    const ask = makeAsk(Option.getOrElse(flags.url, () => `the socket of ${flags.dataDir}`))
    const plan = { model, alias, force, description }
    const transfer = makeTransfer({ file, plan, ask, memory, progress, progressed })
    const made = yield* persist(asking(transfer))
    reached.version = made.version

    const settle = makeSettle(ask, model)
    const version = yield* persist(asking(settle.ready(made)))
    for (const further of aliases) yield* persist(asking(settle.point(further, version.version, force)))
    if (Object.keys(flags.label).length > 0) yield* persist(asking(settle.label(flags.label)))
    return { version, aliases: alias === null ? [] : [alias, ...aliases] }
  },
  Effect.catchTag("Refused", failed),
  Effect.scoped,
)

/** Says with a failure what there is already, and what to do. */
const explained = (flags: PushFlags, { isKept, version }: Reached, failure: CommandFailed) =>
  Effect.gen(function* () {
    const note =
      version !== undefined
        ? `. The file is version ${version} of model "${flags.model}"; what else was asked for is not all done`
        : (yield* isKept)
          ? ". What was sent is kept: run the same command again to go on"
          : ""
    const { detail, exitCode } = failure
    return yield* new CommandFailed({
      detail: detail + note,
      ...(exitCode === undefined ? {} : { exitCode }),
    })
  })

const encode = Schema.encodeSync(VersionResource)

export const makePushCommand = (onSecondSignal: (signal: StopSignal) => void) =>
  Command.make("push", flags, (flags) =>
    Effect.gen(function* () {
      const reached: Reached = { isKept: Effect.succeed(false), version: undefined }
      const stopped = Effect.flatMap(stopSignal(onSecondSignal), (signal) =>
        Effect.fail(new CommandFailed({ detail: "Stopped", exitCode: 128 + constants.signals[signal] })),
      )
      const { version, aliases } = yield* push(flags, reached).pipe(
        Effect.raceFirst(stopped),
        Effect.catchTag("CommandFailed", (failure) => explained(flags, reached, failure)),
      )
      const names = aliases.length === 0 ? "" : ` (${aliases.join(", ")})`
      yield* flags.json
        ? printJson({ ...encode(version), aliases })
        : Console.log(`${version.model} version ${version.version}${names} sha256:${version.digest}`)
    }),
  ).pipe(Command.withDescription("Upload a model file to a running server; what was cut off is gone on with"))
