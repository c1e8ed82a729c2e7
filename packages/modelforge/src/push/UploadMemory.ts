/** Which upload a file went to that was not sent to its end: remembered on this machine, for the next command. */
import { createHash } from "node:crypto"
import { UploadId } from "@modelforge/core"
import { Clock, Config, Duration, Effect, FileSystem, Option, Path } from "effect"

/** Servers forget uploads much sooner; no file of ours lies around for ever. */
const keptMs = Duration.toMillis("30 days")

export interface UploadMemory {
  readonly recall: Effect.Effect<Option.Option<UploadId>>
  /** What can't be written is remembered by this command only, and the file is sent all the same. */
  readonly remember: (id: UploadId) => Effect.Effect<void>
  readonly forget: Effect.Effect<void>
  /** Whether another command will find it. */
  readonly isKept: Effect.Effect<boolean>
}

/** `$XDG_STATE_HOME`, by its specification only when it is absolute, else `~/.local/state`. */
export const stateFolder = Effect.gen(function* () {
  const path = yield* Path.Path
  const named = yield* Config.option(Config.NonEmptyString("XDG_STATE_HOME"))
  const home = yield* Config.option(Config.NonEmptyString("HOME"))
  return named.pipe(
    Option.filter(path.isAbsolute),
    Option.orElse(() => Option.map(home, (folder) => path.join(folder, ".local", "state"))),
    Option.map((folder) => path.join(folder, "modelforge", "uploads")),
  )
})

/** Of what is sent where, which `what` tells from everything else. Without a folder it ends with this command. */
export const makeUploadMemory = Effect.fnUntraced(function* (
  folder: Option.Option<string>,
  what: ReadonlyArray<string | number | boolean | null>,
) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const directory = Option.getOrUndefined(folder)
  // Names of servers and models stay unreadable in it.
  const name = createHash("sha256").update(JSON.stringify(what)).digest("hex")
  const file = directory === undefined ? undefined : path.join(directory, name)

  const removeOld = Effect.fnUntraced(function* (directory: string) {
    const now = yield* Clock.currentTimeMillis
    for (const name of yield* fs.readDirectory(directory)) {
      const { mtime } = yield* fs.stat(path.join(directory, name))
      if (Option.exists(mtime, (time) => now - time.getTime() > keptMs))
        yield* fs.remove(path.join(directory, name), { force: true })
    }
  })

  const read = file === undefined ? Effect.succeedNone : Effect.option(fs.readFileString(file))

  const write = Effect.fnUntraced(function* (id: UploadId) {
    if (directory === undefined || file === undefined) return
    yield* fs.makeDirectory(directory, { recursive: true, mode: 0o700 })
    yield* Effect.ignore(removeOld(directory))
    // Under another name first: a command that is killed leaves the whole id or none.
    const unnamed = `${file}.${process.pid}`
    yield* fs.writeFileString(unnamed, id, { mode: 0o600 })
    yield* fs.rename(unnamed, file)
  })

  let known = Option.flatMap(yield* read, UploadId.makeOption)
  return {
    recall: Effect.sync(() => known),
    remember: (id) =>
      Effect.suspend(() => {
        known = Option.some(id)
        return Effect.ignore(write(id))
      }),
    forget: Effect.suspend(() => {
      known = Option.none()
      return file === undefined ? Effect.void : Effect.ignore(fs.remove(file, { force: true }))
    }),
    isKept: Effect.map(read, Option.isSome),
  } satisfies UploadMemory as UploadMemory
})
