/** Writes the bytes of one request as segments, so that what a crash takes is never more than one of them. */
import { createHash } from "node:crypto"
import { Effect, Exit, type FileSystem, type PlatformError, Scope, Stream } from "effect"
import { ChecksumMismatch, UploadError, UploadOverrun } from "./UploadError.ts"
import type { Piece } from "./UploadStore.ts"

/** A sync for each: often enough that little is sent twice, rarely enough that a disk does not notice. */
export const segmentBytes = 16 * 2 ** 20

/** Where segments are written. */
export interface SegmentFolder {
  /** A new file, which has no name that counts. It goes with the scope. */
  readonly open: Effect.Effect<
    { readonly file: string; readonly handle: FileSystem.File },
    PlatformError.PlatformError,
    Scope.Scope
  >
  /** Makes a synced file the segment at this offset, for good. */
  readonly keep: (file: string, offset: number) => Effect.Effect<void, UploadError>
  readonly failed: (cause: unknown) => UploadError
}

interface Segment {
  readonly scope: Scope.Closeable
  readonly file: string
  readonly handle: FileSystem.File
  size: number
  /** A write failed, and nobody knows how much of it is there. */
  damaged: boolean
}

/**
 * Writes until the stream ends, and gives the offset after its last byte. What arrived is kept also when the stream fails
 * or the fiber is interrupted. With a checksum there is one segment, and it is kept only when it is right.
 */
export const writeSegments = Effect.fnUntraced(function* <E, R>(
  { offset, bytes, limit, checksum }: Piece<E, R>,
  folder: SegmentFolder,
) {
  const hash = checksum === undefined ? undefined : createHash(checksum.algorithm)
  let kept = offset
  let arrived = 0
  let open: Segment | undefined

  const begin = Effect.gen(function* () {
    const scope = yield* Scope.make()
    const opened = yield* folder.open.pipe(
      Scope.provide(scope),
      Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause))),
    )
    return { ...opened, scope, size: 0, damaged: false } satisfies Segment
  })

  const seal = Effect.gen(function* () {
    if (open === undefined) return
    const segment = open
    open = undefined
    yield* Effect.gen(function* () {
      if (segment.damaged) return
      yield* Effect.mapError(segment.handle.sync, folder.failed)
      yield* folder.keep(segment.file, kept)
      kept += segment.size
    }).pipe(Effect.ensuring(Scope.close(segment.scope, Exit.void)))
  })

  /** Not interrupted between the bytes and the count of them. */
  const write = Effect.fnUntraced(function* (chunk: Uint8Array) {
    if (chunk.length === 0) return
    arrived += chunk.length
    if (arrived > limit)
      return yield* new UploadError({ reason: new UploadOverrun({ size: offset + limit }) })
    hash?.update(chunk)
    const segment = open ?? (yield* Effect.mapError(begin, folder.failed))
    open = segment
    yield* Effect.mapError(segment.handle.writeAll(chunk), (error) => {
      segment.damaged = true
      return folder.failed(error)
    })
    segment.size += chunk.length
    if (hash === undefined && segment.size >= segmentBytes) yield* seal
  }, Effect.uninterruptible)

  /** Nothing of a request whose checksum is wrong, or can't be told. */
  const discard = Effect.suspend(() => {
    const segment = open
    open = undefined
    return segment === undefined ? Effect.void : Scope.close(segment.scope, Exit.void)
  })

  return yield* Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(restore(Stream.runForEach(bytes, write)))
      if (checksum !== undefined && hash !== undefined) {
        const isRight = Exit.isSuccess(exit) && hash.digest().equals(checksum.value)
        if (!isRight) yield* discard
        if (!isRight && Exit.isSuccess(exit))
          return yield* new UploadError({ reason: new ChecksumMismatch({ algorithm: checksum.algorithm }) })
      }
      yield* seal
      return Exit.isSuccess(exit) ? kept : yield* Effect.failCause(exit.cause)
    }),
  )
})
