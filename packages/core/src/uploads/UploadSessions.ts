/** Files that arrive in pieces, over requests, connections and restarts, and become versions once they are whole. */
import { randomUUID } from "node:crypto"
import {
  Cause,
  Clock,
  Context,
  DateTime,
  Deferred,
  Duration,
  Effect,
  Layer,
  Option,
  Schedule,
  Semaphore,
  Stream,
} from "effect"
import { ArtifactTooLarge } from "../artifacts/ArtifactError.ts"
import { Actor } from "../events/Actor.ts"
import { ForgeConfig } from "../ForgeConfig.ts"
import type { AliasName, ModelName } from "../model/Names.ts"
import { UploadId, type UploadState } from "../model/UploadSession.ts"
import type { Digest, VersionNumber } from "../model/Version.ts"
import { ModelScanner } from "../registry/ModelScanner.ts"
import {
  DuplicateVersion,
  ModelNotFound,
  RegistryError,
  type RegistryReason,
  type UploadInterrupted,
} from "../registry/RegistryError.ts"
import { RegistryStore } from "../registry/RegistryStore.ts"
import { OffsetMismatch, TooManyUploads, UploadError, UploadLocked, UploadNotFound } from "./UploadError.ts"
import {
  type Checksum,
  type StoredUpload,
  type UploadOutcome,
  type UploadPlan,
  UploadStore,
} from "./UploadStore.ts"
import { makeUploadEndings } from "./uploadEndings.ts"

/** A sender that is silent for so long is gone, though its connection does not say so; others may write then. */
const silence = "30 seconds"

const sweepInterval = Duration.minutes(10)

/** What a sender announces. */
export interface UploadDraft {
  readonly model: ModelName
  /** Bytes of the whole file, at least 1. */
  readonly size: number
  /** Its SHA-256, which is held against the bytes, and spares sending what is a version already. */
  readonly digest?: Digest | undefined
  /** Makes the model when there is none. Default: false. */
  readonly createModel?: boolean | undefined
  /** Points at the version once it is `ready`. */
  readonly alias?: AliasName | undefined
  /** Moves the alias even if its callers may fail with the new signature. Default: false. */
  readonly force?: boolean | undefined
  readonly description?: string | undefined
  /** Given back with the session. */
  readonly metadata?: string | undefined
}

export interface UploadSession {
  readonly id: UploadId
  readonly model: ModelName
  /** Bytes of the whole file. */
  readonly size: number
  /** Bytes that are kept, whatever happens to the server. */
  readonly offset: number
  readonly state: UploadState
  /** When it is forgotten, unless it goes on before. */
  readonly expiresAt: DateTime.Utc
  readonly metadata: string | null
  /** What it became, when it is `finished`. */
  readonly version: VersionNumber | null
  /** Why it became nothing, when it is `refused`. */
  readonly refusal: RegistryReason | null
}

/** The bytes of one request. */
export interface UploadPiece {
  /** Where they begin. */
  readonly offset: number
  readonly bytes: Stream.Stream<Uint8Array, UploadInterrupted>
  /** Held against them; when it is not theirs none is kept. */
  readonly checksum?: Checksum | undefined
}

const fail = (reason: UploadError["reason"]) => Effect.fail(new UploadError({ reason }))
const refuse = (reason: RegistryReason) => Effect.fail(new RegistryError({ reason }))

/** Ends where nothing comes any more. `Stream.timeout` would read ahead, and lose that when the sender leaves. */
const untilSilence = (bytes: UploadPiece["bytes"]): UploadPiece["bytes"] =>
  Stream.transformPull(bytes, (pull) =>
    Effect.succeed(Effect.timeoutOrElse(pull, { duration: silence, orElse: () => Cause.done() })),
  )

const stateOf = ({ outcome, offset, plan }: StoredUpload): UploadState => {
  if (outcome !== undefined) return outcome._tag === "Finished" ? "finished" : "refused"
  return offset < plan.size ? "receiving" : "finishing"
}

export class UploadSessions extends Context.Service<
  UploadSessions,
  {
    /**
     * Begins an upload. Fails with `ArtifactTooLarge`, `ModelNotFound`, `DuplicateVersion` when the digest is known, and
     * `TooManyUploads`.
     */
    readonly create: (draft: UploadDraft) => Effect.Effect<UploadSession, UploadError | RegistryError>
    /** Fails with `UploadNotFound`. */
    readonly find: (model: ModelName, id: string) => Effect.Effect<UploadSession, UploadError>
    /**
     * Continues an upload. With its last byte, or with none when all are there, it answers when the file is a version,
     * and fails as `Uploads.receive` does; how it ended is remembered, and told to whoever asks again. Its first bytes are
     * scanned as they arrive, so that many files that are no models are refused by them. Fails with `UploadNotFound`,
     * `UploadLocked`, `OffsetMismatch`, `UploadOverrun`, `UploadFragmented`, `ChecksumMismatch`.
     */
    readonly append: (
      model: ModelName,
      id: string,
      piece: UploadPiece,
    ) => Effect.Effect<UploadSession, UploadError | RegistryError>
    /** Forgets an upload and its bytes. Fails with `UploadNotFound`, or `UploadLocked` while somebody writes. */
    readonly abort: (model: ModelName, id: string) => Effect.Effect<void, UploadError>
    /** Removes what nobody went on with, and finishes what is whole and was cut off by the end of a server. */
    readonly sweep: Effect.Effect<void, UploadError>
  }
>()("@modelforge/core/uploads/UploadSessions") {
  static readonly make = Effect.gen(function* () {
    const config = yield* ForgeConfig
    const registry = yield* RegistryStore
    const scanner = yield* ModelScanner
    const store = yield* UploadStore
    const { isFinishing, finish, conclude } = yield* makeUploadEndings
    const creating = yield* Semaphore.make(1)
    const expiryMs = Duration.toMillis(config.uploadExpiry)

    /** Uploads that a request of this server writes to, and those that are being removed. */
    const writing = new Set<UploadId>()
    const removing = new Set<UploadId>()
    const isAtWork = (id: UploadId) => writing.has(id) || isFinishing(id)
    const isBusy = (id: UploadId) => isAtWork(id) || removing.has(id)

    const sessionOf = (upload: StoredUpload): UploadSession => ({
      id: upload.id,
      model: upload.plan.model,
      size: upload.plan.size,
      offset: upload.offset,
      state: stateOf(upload),
      expiresAt: DateTime.makeUnsafe(upload.lastActivity + expiryMs),
      metadata: upload.plan.metadata,
      version: upload.outcome?._tag === "Finished" ? upload.outcome.version : null,
      refusal: upload.outcome?._tag === "Refused" ? upload.outcome.reason : null,
    })

    const isExpired = ({ lastActivity }: StoredUpload) =>
      Effect.map(Clock.currentTimeMillis, (now) => now >= lastActivity + expiryMs)

    /** The upload, if it is one of this model; its owner's rights were held against the model's name. */
    const stored = Effect.fnUntraced(function* (model: ModelName, name: string) {
      const missing = new UploadNotFound({ upload: name })
      const id = UploadId.makeOption(name)
      if (Option.isNone(id)) return yield* fail(missing)
      const found = yield* store.find(id.value)
      if (Option.isNone(found) || found.value.plan.model !== model) return yield* fail(missing)
      // A request that writes to it, however slowly, keeps it.
      if (!isAtWork(id.value) && (yield* isExpired(found.value))) return yield* fail(missing)
      return found.value
    })

    const withLock = <A, E, R>(locked: Set<UploadId>, id: UploadId, work: Effect.Effect<A, E, R>) =>
      Effect.acquireUseRelease(
        Effect.suspend(() => {
          if (isBusy(id)) return fail(new UploadLocked({ upload: id }))
          locked.add(id)
          return Effect.void
        }),
        () => work,
        () => Effect.sync(() => locked.delete(id)),
      )

    /** Before anything is sent, what is certain already. */
    const checkDraft = Effect.fnUntraced(function* ({ model, size, digest, createModel }: UploadDraft) {
      if (size > config.maxArtifactBytes)
        return yield* refuse(new ArtifactTooLarge({ limit: config.maxArtifactBytes }))
      if (createModel !== true && Option.isNone(yield* registry.findModel(model)))
        return yield* refuse(new ModelNotFound({ model }))
      if (digest === undefined) return
      const version = yield* registry.findDigest(model, digest)
      if (Option.isSome(version))
        return yield* refuse(new DuplicateVersion({ model, version: version.value, digest }))
    })

    const checkRoom = Effect.fnUntraced(function* (size: number) {
      let [unfinished, bytes] = [0, 0]
      for (const upload of yield* store.list) {
        if (upload.outcome !== undefined || (yield* isExpired(upload))) continue
        unfinished++
        bytes += upload.plan.size
      }
      if (unfinished >= config.maxUploads || bytes + size > config.maxUploadsBytes)
        return yield* fail(new TooManyUploads({ uploads: unfinished, bytes }))
    })

    const create = Effect.fn("UploadSessions.create")(function* (draft: UploadDraft) {
      yield* checkDraft(draft)
      const id = UploadId.make(randomUUID())
      const plan: UploadPlan = {
        model: draft.model,
        size: draft.size,
        digest: draft.digest ?? null,
        createModel: draft.createModel ?? false,
        alias: draft.alias ?? null,
        force: draft.force ?? false,
        description: draft.description ?? "",
        createdBy: yield* Actor,
        metadata: draft.metadata ?? null,
        createdAt: yield* DateTime.now,
      }
      yield* creating.withPermit(Effect.andThen(checkRoom(draft.size), store.insert(id, plan)))
      return sessionOf(yield* stored(draft.model, id))
    })

    /** The session as it ended, or the refusal. */
    const settled = Effect.fnUntraced(function* (upload: StoredUpload, outcome: UploadOutcome) {
      if (outcome._tag === "Refused") return yield* refuse(outcome.reason)
      return sessionOf({ ...upload, outcome })
    })

    /** A file that begins as no model does need not be sent to its end. */
    const scanned = Effect.fnUntraced(function* (bytes: UploadPiece["bytes"]) {
      const scan = yield* scanner.start
      return Stream.tap(bytes, scan.push)
    })

    const write = Effect.fnUntraced(function* (
      upload: StoredUpload,
      { offset, bytes, checksum }: UploadPiece,
    ) {
      if (offset !== upload.offset)
        return yield* fail(new OffsetMismatch({ sent: offset, offset: upload.offset }))
      const heard = untilSilence(bytes)
      const reached = yield* store
        .append(upload.id, {
          offset,
          bytes: offset === 0 ? yield* scanned(heard) : heard,
          limit: upload.plan.size - offset,
          checksum,
        })
        .pipe(
          Effect.catchTags({
            UnusableModel: (reason) =>
              Effect.andThen(conclude(upload.id, { _tag: "Refused", reason }), refuse(reason)),
            UploadInterrupted: refuse,
          }),
        )
      return { ...upload, offset: reached, lastActivity: yield* Clock.currentTimeMillis }
    })

    const finishIfWhole = Effect.fnUntraced(function* (id: UploadId) {
      const found = yield* store.find(id)
      if (!isBusy(id) && Option.exists(found, (upload) => stateOf(upload) === "finishing"))
        yield* finish(id, true)
    })

    const append = Effect.fn("UploadSessions.append")(function* (
      model: ModelName,
      name: string,
      piece: UploadPiece,
    ) {
      const before = yield* stored(model, name)
      const { id, plan } = before
      const isWhole = before.offset === plan.size
      if (isWhole && piece.offset !== plan.size)
        return yield* fail(new OffsetMismatch({ sent: piece.offset, offset: plan.size }))
      if (before.outcome !== undefined) return yield* settled(before, before.outcome)
      if (isWhole) return yield* settled(before, yield* Deferred.await(yield* finish(id, true)))
      // Looked at again once nobody else writes.
      const written = withLock(
        writing,
        id,
        Effect.flatMap(stored(model, name), (now) => write(now, piece)),
      )
      // The sender may leave with the last byte and believe that all is done.
      const upload = yield* Effect.onError(written, () => Effect.ignore(finishIfWhole(id)))
      if (upload.offset < plan.size) return sessionOf(upload)
      return yield* settled(upload, yield* Deferred.await(yield* finish(id, false)))
    })

    const abort = Effect.fn("UploadSessions.abort")(function* (model: ModelName, name: string) {
      const { id } = yield* stored(model, name)
      yield* withLock(removing, id, store.remove(id))
    })

    /** Somebody may have gone on with it since it was looked at. */
    const removeExpired = Effect.fnUntraced(function* (id: UploadId) {
      const found = yield* store.find(id)
      if (Option.isSome(found) && (yield* isExpired(found.value))) yield* store.remove(id)
    })

    const sweep = Effect.gen(function* () {
      for (const upload of yield* store.list)
        if (!(yield* isExpired(upload))) yield* finishIfWhole(upload.id)
        else if (!isBusy(upload.id)) yield* withLock(removing, upload.id, removeExpired(upload.id))
    }).pipe(Effect.withSpan("UploadSessions.sweep"))

    return UploadSessions.of({
      create,
      find: (model, name) => Effect.map(stored(model, name), sessionOf),
      append,
      abort,
      sweep,
    })
  })

  /** Sweeps at once and at intervals for as long as the layer is open. */
  static readonly layer = Layer.effect(
    this,
    Effect.tap(this.make, ({ sweep }) =>
      Effect.gen(function* () {
        const { uploadExpiry } = yield* ForgeConfig
        yield* sweep.pipe(
          Effect.catch((error) => Effect.logWarning("Unfinished uploads could not be looked through", error)),
          Effect.repeat(Schedule.spaced(Duration.min(uploadExpiry, sweepInterval))),
          Effect.forkScoped,
        )
      }),
    ),
  )
}
