/** `modelforge users`: people who sign in to the dashboard. */
import { Email, Role, User, type UserChange } from "@modelforge/core"
import { Console, Effect, Option, Schema } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { columns, printJson, say } from "../command/output.ts"
import { AccessAdmin, userOf } from "./AccessAdmin.ts"
import { type AccessFlags, accessFlags, layerAccessAdmin } from "./openAccess.ts"
import { readPassword } from "./readPassword.ts"

const email = Argument.String("email").pipe(
  Argument.withDescription("Email address"),
  Argument.filterMap(
    (text) => Email.makeOption(text.toLowerCase()),
    (text) => `"${text}" is not an email address`,
  ),
)

const passwordStdin = Flag.Boolean("password-stdin").pipe(
  Flag.withDescription("Read the password from standard input. Default: ask for it at the terminal"),
  Flag.withDefault(false),
)

const encode = Schema.encodeSync(User)

const print = (user: User, json: boolean, note: string) => (json ? printJson(encode(user)) : say(note))

const add = Command.make(
  "add",
  {
    ...accessFlags,
    email,
    role: Flag.Literals("role", Role.literals).pipe(
      Flag.withDescription("What they may do. Default: viewer"),
      Flag.withDefault("viewer" as const),
    ),
    name: Flag.String("name").pipe(
      Flag.withDescription("As others see it. Default: the email address"),
      Flag.optional,
    ),
    passwordStdin,
  },
  (flags) =>
    Effect.gen(function* () {
      const password = yield* readPassword(flags.passwordStdin)
      const { email, role } = flags
      const name = Option.getOrElse(flags.name, () => email)
      const user = yield* AccessAdmin.use((admin) => admin.createUser({ email, role, name, password })).pipe(
        Effect.provide(layerAccessAdmin(flags)),
      )
      yield* print(user, flags.json, `User ${email} is ${role}`)
    }),
).pipe(Command.withDescription("Add a user"))

const list = Command.make("list", accessFlags, (flags) =>
  Effect.gen(function* () {
    const users = yield* AccessAdmin.use(({ listUsers }) => listUsers)
    if (flags.json) yield* printJson(users.map((user) => encode(user)))
    else if (users.length === 0) yield* say("There is no user")
    else
      yield* Console.log(
        columns(
          ["EMAIL", "NAME", "ROLE", "STATE"],
          users.map(({ email, name, role, disabled }) => [
            email,
            name,
            role,
            disabled ? "disabled" : "enabled",
          ]),
        ),
      )
  }).pipe(Effect.provide(layerAccessAdmin(flags))),
).pipe(Command.withDescription("List users"))

interface UserFlags extends AccessFlags {
  readonly email: Email
  readonly json: boolean
}

const change = (flags: UserFlags, made: UserChange, note: string) =>
  Effect.gen(function* () {
    const { id } = yield* userOf(flags.email)
    const user = yield* AccessAdmin.use((admin) => admin.updateUser(id, made))
    yield* print(user, flags.json, note)
  }).pipe(Effect.provide(layerAccessAdmin(flags)))

const enable = Command.make("enable", { ...accessFlags, email }, (flags) =>
  change(flags, { disabled: false }, `User ${flags.email} may sign in again`),
).pipe(Command.withDescription("Let a disabled user sign in again"))

const disable = Command.make("disable", { ...accessFlags, email }, (flags) =>
  change(flags, { disabled: true }, `User ${flags.email} is disabled, and their sessions are over`),
).pipe(Command.withDescription("Keep a user from signing in, and end their sessions"))

const password = Command.make("password", { ...accessFlags, email, passwordStdin }, (flags) =>
  Effect.gen(function* () {
    const password = yield* readPassword(flags.passwordStdin)
    yield* change(flags, { password }, `User ${flags.email} has a new password, and their sessions are over`)
  }),
).pipe(Command.withDescription("Give a user a new password"))

const remove = Command.make("remove", { ...accessFlags, email }, (flags) =>
  Effect.gen(function* () {
    const { id } = yield* userOf(flags.email)
    yield* AccessAdmin.use((admin) => admin.removeUser(id))
    yield* flags.json
      ? printJson({ email: flags.email, removed: true })
      : say(`User ${flags.email} is removed`)
  }).pipe(Effect.provide(layerAccessAdmin(flags))),
).pipe(Command.withDescription("Remove a user"))

export const usersCommand = Command.make("users").pipe(
  Command.withDescription("People who sign in to the dashboard"),
  Command.withSubcommands([add, list, enable, disable, password, remove]),
)
