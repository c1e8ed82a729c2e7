/** The file that is pushed: looked at, hashed, and read again in parts, never whole in memory. */
import { createHash } from "node:crypto"
import { Digest } from "@modelforge/core"
import { Effect, FileSystem, Option, Path, type PlatformError, Stream } from "effect"
import { CommandFailed } from "../command/CommandFailed.ts"

export interface ModelFile {
  /** Bytes, at least one. */
  readonly size: number
  readonly digest: Digest
  /** So many bytes from an offset. Fails when the file is not as it was when it was hashed. */
  readonly bytes: (offset: number, length: number) => Stream.Stream<Uint8Array, CommandFailed>
}

const wordsOf: { readonly [Tag in string]?: (path: string) => string } = {
  NotFound: (path) => `There is no file ${path}`,
  PermissionDenied: (path) => `${path} can't be read: permission denied`,
}

const unreadable = (path: string) => (error: PlatformError.PlatformError) =>
  new CommandFailed({
    detail: wordsOf[error.reason._tag]?.(path) ?? `${path} can't be read: ${error.message}`,
  })

/** Whether it was written to since: what tells a file from the one that has its place now. */
const identityOf = ({ ino, mtime, size }: FileSystem.File.Info) =>
  [Option.getOrNull(ino), Option.getOrNull(mtime)?.getTime(), size].join(" ")

/** Looks at a file and refuses what can't be pushed; `hashed` reads it once, and tells `read` how far it is. */
export const lookAtModelFile = Effect.fn("lookAtModelFile")(function* (path: string) {
  const fs = yield* FileSystem.FileSystem
  const { basename } = yield* Path.Path
  const refuse = (detail: string) => Effect.fail(new CommandFailed({ detail }))
  const look = Effect.mapError(fs.stat(path), unreadable(path))
  const changed = refuse(`${path} was changed while it was sent: push it again once it is written`)

  const info = yield* look
  const size = Number(info.size)
  if (info.type === "Directory") return yield* refuse(`${path} is a folder: name the model's file in it`)
  if (info.type !== "File") return yield* refuse(`${path} is not a file`)
  if (size === 0) return yield* refuse(`${path} is empty`)

  const unchanged = Effect.gen(function* () {
    if (identityOf(yield* look) !== identityOf(info)) return yield* changed
  })

  const bytes = (offset: number, length: number) => {
    let sent = 0
    const part = fs.stream(path, { offset, bytesToRead: length }).pipe(
      Stream.mapError(unreadable(path)),
      Stream.tap((chunk) =>
        Effect.sync(() => {
          sent += chunk.length
        }),
      ),
    )
    // The server would wait for what a file that was cut does not have any more.
    const whole = Stream.unwrap(
      Effect.suspend(() => (sent === length ? Effect.succeed(Stream.empty) : changed)),
    )
    return Stream.unwrap(Effect.as(unchanged, Stream.concat(part, whole)))
  }

  const hashed = Effect.fnUntraced(function* (read: (bytes: number) => void) {
    const hash = createHash("sha256")
    let position = 0
    yield* fs.stream(path).pipe(
      Stream.runForEach((chunk) =>
        Effect.sync(() => {
          hash.update(chunk)
          position += chunk.length
          read(position)
        }),
      ),
      Effect.mapError(unreadable(path)),
    )
    yield* unchanged
    return { size, digest: Digest.make(hash.digest("hex")), bytes } satisfies ModelFile as ModelFile
  })

  return { name: basename(path), size, hashed }
})
