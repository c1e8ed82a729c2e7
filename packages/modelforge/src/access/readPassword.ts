/** Passwords come from a terminal, unseen, or from standard input: as flags, everybody on the machine would see them. */
import { Effect, Redacted, Stdio, Stream } from "effect"
import { Prompt } from "effect/cli"
import { CommandFailed } from "../command/CommandFailed.ts"

/** Longer is no password, and no file is read whole because somebody mistook a flag. */
const maxCharacters = 1024

const fail = (detail: string) => Effect.fail(new CommandFailed({ detail }))

const fromInput = Effect.gen(function* () {
  const stdio = yield* Stdio.Stdio
  const text = yield* stdio.stdin.pipe(
    Stream.decodeText(),
    Stream.runFoldEffect(
      () => "",
      (all, part) =>
        all.length > maxCharacters
          ? fail("Standard input is too long for a password")
          : Effect.succeed(all + part),
    ),
  )
  const password = text.replace(/\r?\n$/, "")
  return password === "" ? yield* fail("Standard input has no password") : Redacted.make(password)
})

const fromTerminal = Effect.gen(function* () {
  const password = yield* Prompt.run(Prompt.Hidden({ message: "Password:" }))
  const again = yield* Prompt.run(Prompt.Hidden({ message: "Again:" }))
  return Redacted.value(password) === Redacted.value(again)
    ? password
    : yield* fail("The passwords are not the same")
})

export const readPassword = Effect.fnUntraced(function* (fromStdin: boolean) {
  if (fromStdin) return yield* fromInput
  const { stdinIsTerminal } = yield* Stdio.Stdio
  return (yield* stdinIsTerminal)
    ? yield* fromTerminal
    : yield* fail("There is no terminal to ask for a password at: pipe it in, with --password-stdin")
})
