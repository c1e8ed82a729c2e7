/** `modelforge keys`: the keys that programs authenticate with. */
import { ApiKey, type IssuedKey, KeyDraft, KeyId, RateLimit, Scope } from "@modelforge/core"
import { Console, DateTime, Effect, Option, Redacted, Schema } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { CommandFailed } from "../command/CommandFailed.ts"
import { columns, printJson, say } from "../command/output.ts"
import { AccessAdmin } from "./AccessAdmin.ts"
import { accessFlags, layerAccessAdmin } from "./openAccess.ts"
import { parseDuration } from "./parseDuration.ts"

const fail = (detail: string) => Effect.fail(new CommandFailed({ detail }))

const duration = (flag: string, text: string) => {
  const seconds = parseDuration(text)
  return seconds === undefined
    ? fail(`${flag}: "${text}" is not a time like 30d, 12h, 15m or 90s`)
    : Effect.succeed(seconds)
}

const rateLimit = (text: string) => {
  const [, requests, seconds] = /^(\d{1,10})\/(\d{1,6})$/.exec(text) ?? []
  return Schema.decodeUnknownEffect(RateLimit)({
    requests: Number(requests),
    seconds: Number(seconds),
  }).pipe(
    Effect.mapError(
      () => new CommandFailed({ detail: `--rate: "${text}" is not requests/seconds, like 100/60` }),
    ),
  )
}

const draftOf = Effect.fnUntraced(function* (flags: {
  readonly name: string
  readonly scope: ReadonlyArray<Scope>
  readonly model: ReadonlyArray<string>
  readonly expiresIn: Option.Option<string>
  readonly rate: Option.Option<string>
}) {
  const expiresAt = Option.isNone(flags.expiresIn)
    ? null
    : DateTime.add(yield* DateTime.now, { seconds: yield* duration("--expires-in", flags.expiresIn.value) })
  const draft = {
    name: flags.name,
    scopes: [...new Set(flags.scope)],
    models: flags.model.length === 0 ? null : [...new Set(flags.model)],
    expiresAt,
    rateLimit: Option.isNone(flags.rate) ? null : yield* rateLimit(flags.rate.value),
    quota: null,
  }
  return yield* Effect.mapError(
    Schema.decodeUnknownEffect(Schema.toType(KeyDraft))(draft),
    ({ message }) => new CommandFailed({ detail: message }),
  )
})

const id = Argument.String("id").pipe(
  Argument.withDescription('A key\'s id, as "modelforge keys list" shows it'),
  Argument.filterMap(
    (text) => KeyId.makeOption(text),
    (text) => `"${text}" is not a key's id: "modelforge keys list" shows them`,
  ),
)

const encode = Schema.encodeSync(ApiKey)

const stateOf = (key: ApiKey, now: DateTime.Utc) => {
  if (key.revokedAt !== null) return "revoked"
  return key.expiresAt !== null && DateTime.isLessThanOrEqualTo(key.expiresAt, now) ? "expired" : "valid"
}

const minute = (time: DateTime.Utc | null) =>
  time === null ? "-" : DateTime.formatIso(time).slice(0, 16).replace("T", " ")

/** The secret alone on standard output, so that it can be piped; what is to be said of it beside it. */
const printIssued = ({ key, secret }: IssuedKey, json: boolean, note: string) =>
  json
    ? printJson({ ...encode(key), secret: Redacted.value(secret) })
    : Effect.andThen(say(note), Console.log(Redacted.value(secret)))

const create = Command.make(
  "create",
  {
    ...accessFlags,
    name: Flag.String("name").pipe(Flag.withDescription("What the key is for, in words")),
    scope: Flag.Literals("scope", Scope.literals).pipe(
      Flag.withDescription("What the key may do; may be repeated"),
      Flag.atLeast(1),
    ),
    model: Flag.String("model").pipe(
      Flag.withDescription("A model that the key is for; may be repeated. Default: all models"),
      Flag.atLeast(0),
    ),
    expiresIn: Flag.String("expires-in").pipe(
      Flag.withDescription("When it stops working, like 30d, 12h or 15m. Default: never"),
      Flag.optional,
    ),
    rate: Flag.String("rate").pipe(
      Flag.withDescription("Requests in so many seconds, like 100/60. Default: the server's own limit"),
      Flag.optional,
    ),
  },
  (flags) =>
    Effect.gen(function* () {
      const draft = yield* draftOf(flags)
      const issued = yield* AccessAdmin.use((admin) => admin.createKey(draft)).pipe(
        Effect.provide(layerAccessAdmin(flags)),
      )
      yield* printIssued(
        issued,
        flags.json,
        `Key ${issued.key.id}. Keep what follows: it is shown this once.`,
      )
    }),
).pipe(Command.withDescription("Create a key and print its secret, which is shown this once"))

const list = Command.make("list", accessFlags, (flags) =>
  Effect.gen(function* () {
    const keys = yield* AccessAdmin.use(({ listKeys }) => listKeys)
    const now = yield* DateTime.now
    if (flags.json) yield* printJson(keys.map((key) => encode(key)))
    else if (keys.length === 0) yield* say("There is no key")
    else
      yield* Console.log(
        columns(
          ["ID", "NAME", "SCOPES", "MODELS", "STATE", "EXPIRES", "LAST USED"],
          keys.map((key) => [
            key.id,
            key.name,
            key.scopes.join(","),
            key.models?.join(",") ?? "all",
            stateOf(key, now),
            minute(key.expiresAt),
            minute(key.lastUsedAt),
          ]),
        ),
      )
  }).pipe(Effect.provide(layerAccessAdmin(flags))),
).pipe(Command.withDescription("List keys, newest first, revoked ones too"))

const revoke = Command.make("revoke", { ...accessFlags, id }, (flags) =>
  AccessAdmin.use((admin) => admin.revokeKey(flags.id)).pipe(
    Effect.andThen(
      flags.json ? printJson({ id: flags.id, revoked: true }) : say(`Key ${flags.id} is revoked`),
    ),
    Effect.provide(layerAccessAdmin(flags)),
  ),
).pipe(Command.withDescription("Revoke a key for good"))

const rotate = Command.make(
  "rotate",
  {
    ...accessFlags,
    id,
    overlap: Flag.String("overlap").pipe(
      Flag.withDescription(
        "How long the secret before goes on working, like 1h; a week at most. Default: not at all",
      ),
      Flag.optional,
    ),
  },
  (flags) =>
    Effect.gen(function* () {
      const seconds = Option.isNone(flags.overlap) ? 0 : yield* duration("--overlap", flags.overlap.value)
      const issued = yield* AccessAdmin.use((admin) => admin.rotateKey(flags.id, seconds)).pipe(
        Effect.provide(layerAccessAdmin(flags)),
      )
      yield* printIssued(
        issued,
        flags.json,
        `Key ${flags.id} has a new secret. Keep what follows: it is shown this once.`,
      )
    }),
).pipe(Command.withDescription("Give a key a new secret and print it"))

export const keysCommand = Command.make("keys").pipe(
  Command.withDescription("Keys that programs authenticate with"),
  Command.withSubcommands([create, list, revoke, rotate]),
)
