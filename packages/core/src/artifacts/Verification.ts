/** Holds the bytes of artifacts against their digests: disks and networks change bytes without saying so. */
import { createHash } from "node:crypto"
import { Effect, FileSystem, Option, type PlatformError, Stream } from "effect"
import type { Digest } from "../model/Version.ts"
import { ArtifactCorrupt, ArtifactError } from "./ArtifactError.ts"

/** Large enough that a big file costs few steps, small enough that hashing one delays nobody noticeably. */
const chunkSize = 256 * 1024

export const corrupt = (digest: Digest) => new ArtifactError({ reason: new ArtifactCorrupt({ digest }) })

/**
 * The same bytes, or `ArtifactCorrupt`. The last chunk waits for the verdict, so nobody takes bytes for whole that are
 * not those of the digest.
 */
export const verified =
  (digest: Digest) =>
  <E, R>(bytes: Stream.Stream<Uint8Array, E, R>): Stream.Stream<Uint8Array, E | ArtifactError, R> =>
    Stream.suspend(() => {
      const hash = createHash("sha256")
      let held: Uint8Array = new Uint8Array(0)
      const allButLast = Stream.map(bytes, (chunk) => {
        const before = held
        held = chunk
        hash.update(chunk)
        return before
      })
      const last = Stream.suspend(() =>
        hash.digest("hex") === digest ? Stream.succeed(held) : Stream.fail(corrupt(digest)),
      )
      return Stream.filter(Stream.concat(allButLast, last), (chunk) => chunk.length > 0)
    })

/** What was found of a file, and how to tell that it is still the same file. */
interface Finding {
  readonly identity: string
  readonly intact: boolean
}

/**
 * What this process knows of the files it verified: a file is read once for it, and after that known by inode, size
 * and time of change, which whoever writes to it changes.
 */
export const makeVerification = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const findings = new Map<Digest, Finding>()

  const identityOf = (file: string) =>
    Effect.map(fs.stat(file), ({ dev, ino, size, mtime }) => {
      const time = Option.match(mtime, { onNone: () => 0, onSome: (date) => date.getTime() })
      return `${dev}:${Option.getOrElse(ino, () => 0n)}:${size}:${time}`
    })

  const report = (file: string, digest: Digest) =>
    Effect.logError(`The bytes of artifact ${digest} are damaged in ${file}`)

  return {
    /** The file was just written with bytes of this digest. */
    remember: Effect.fnUntraced(function* (file: string, digest: Digest) {
      findings.set(digest, { identity: yield* identityOf(file), intact: true })
    }),

    forget: (digest: Digest) => Effect.sync(() => findings.delete(digest)),

    /** Whether the file has the bytes of the digest. One that has not is reported in the log, once. */
    isIntact: Effect.fnUntraced(function* (file: string, digest: Digest) {
      const identity = yield* identityOf(file)
      const known = findings.get(digest)
      if (known?.identity === identity) return known.intact
      const hash = createHash("sha256")
      yield* Stream.runForEach(fs.stream(file, { chunkSize }), (chunk) =>
        Effect.sync(() => void hash.update(chunk)),
      )
      const intact = hash.digest("hex") === digest
      findings.set(digest, { identity, intact })
      if (!intact) yield* report(file, digest)
      return intact
    }),

    /** The file's bytes; those of a file that is not known yet are verified on the way. */
    read: (
      file: string,
      digest: Digest,
    ): Stream.Stream<Uint8Array, ArtifactError | PlatformError.PlatformError> =>
      Stream.unwrap(
        Effect.gen(function* () {
          const identity = yield* identityOf(file)
          const known = findings.get(digest)
          const bytes = fs.stream(file)
          if (known?.identity === identity) return known.intact ? bytes : Stream.fail(corrupt(digest))
          const conclude = (intact: boolean) => Effect.sync(() => findings.set(digest, { identity, intact }))
          return verified(digest)(bytes).pipe(
            Stream.tapError((error) =>
              error._tag === "ArtifactError"
                ? Effect.andThen(conclude(false), report(file, digest))
                : Effect.void,
            ),
            Stream.concat(Stream.drain(Stream.fromEffect(conclude(true)))),
          )
        }),
      ),
  }
})
