/** The end of an upload: a whole file becomes a version, or is refused, and either is remembered. */
import { DateTime, Deferred, Effect, Option, Stream } from "effect"
import { Actor } from "../events/Actor.ts"
import type { UploadId } from "../model/UploadSession.ts"
import { Digest, type VersionNumber } from "../model/Version.ts"
import {
  type DuplicateVersion,
  RegistryError,
  StoreUnavailable,
  UploadInterrupted,
} from "../registry/RegistryError.ts"
import { RegistryStore } from "../registry/RegistryStore.ts"
import { Uploads } from "../registry/Uploads.ts"
import { UploadError, UploadNotFound } from "./UploadError.ts"
import { type StoredUpload, type UploadOutcome, UploadStore } from "./UploadStore.ts"

/** Ended uploads that are remembered, so that a sender whose connection broke can ask how it ended. */
const keptOutcomes = 256

/** How the making of a version ends, for all who wait for it. */
type Ending = Deferred.Deferred<UploadOutcome, UploadError | RegistryError>

const finished = (version: VersionNumber): UploadOutcome => ({ _tag: "Finished", version })

export const makeUploadEndings = Effect.gen(function* () {
  const registry = yield* RegistryStore
  const uploads = yield* Uploads
  const store = yield* UploadStore
  const layerScope = yield* Effect.scope
  /** Uploads that this server is making versions of. */
  const finishing = new Map<UploadId, Ending>()

  /** Only the newest outcomes are remembered. */
  const forgetOldest = Effect.gen(function* () {
    const ended = (yield* store.list).filter(({ outcome }) => outcome !== undefined)
    const oldest = ended.sort((a, b) => b.lastActivity - a.lastActivity).slice(keptOutcomes)
    yield* Effect.forEach(oldest, ({ id }) => store.remove(id), { discard: true })
  })

  const conclude = Effect.fnUntraced(function* (id: UploadId, outcome: UploadOutcome) {
    yield* store.conclude(id, outcome)
    yield* Effect.ignore(forgetOldest)
  })

  /**
   * A server that was killed between the version and the outcome finds its own version in the way. What was made
   * after the upload began is taken for that.
   */
  const ownVersion = Effect.fnUntraced(function* ({ plan }: StoredUpload, { digest }: DuplicateVersion) {
    const number = yield* registry.findDigest(plan.model, Digest.make(digest))
    if (Option.isNone(number)) return undefined
    const version = yield* registry.findVersion(plan.model, number.value)
    return Option.getOrUndefined(
      Option.filter(version, ({ createdAt }) => DateTime.isGreaterThanOrEqualTo(createdAt, plan.createdAt)),
    )
  })

  /** What becomes of the bytes, told by the registry. Fails where that says nothing of them: they can be tried again. */
  const judge = (upload: StoredUpload, again: boolean) => {
    const { id, plan } = upload
    const received = uploads.receive({
      model: plan.model,
      bytes: Stream.mapError(store.read(id), (cause) => new UploadInterrupted({ detail: cause.message })),
      expectedDigest: plan.digest ?? undefined,
      createModel: plan.createModel,
      alias: plan.alias ?? undefined,
      force: plan.force,
      description: plan.description,
    })
    return received.pipe(
      Effect.provideService(Actor, plan.createdBy),
      Effect.map(({ version }) => finished(version)),
      Effect.catchTag("RegistryError", (error): Effect.Effect<UploadOutcome, RegistryError> => {
        const { reason } = error
        if (reason._tag === "StoreUnavailable") return Effect.fail(error)
        if (reason._tag === "UploadInterrupted")
          return Effect.fail(
            new RegistryError({
              reason: new StoreUnavailable({ operation: "read the upload", cause: reason }),
            }),
          )
        const refused: UploadOutcome = { _tag: "Refused", reason }
        if (!again || reason._tag !== "DuplicateVersion") return Effect.succeed(refused)
        return Effect.map(ownVersion(upload, reason), (own) =>
          own === undefined ? refused : finished(own.version),
        )
      }),
    )
  }

  const tryOut = Effect.fnUntraced(function* (id: UploadId, again: boolean) {
    const now = yield* store.find(id)
    if (Option.isNone(now)) return yield* new UploadError({ reason: new UploadNotFound({ upload: id }) })
    // Others may have brought it to its end between the look at it and now.
    if (now.value.outcome !== undefined) return now.value.outcome
    const outcome = yield* judge(now.value, again)
    yield* conclude(id, outcome)
    return outcome
  })

  /**
   * Begins to make a version of a whole file, `again` where an earlier attempt may have made one. Whoever asks meanwhile
   * waits for the same; it goes on when they leave.
   */
  const finish = (id: UploadId, again: boolean) =>
    Effect.suspend(() => {
      const underWay = finishing.get(id)
      if (underWay !== undefined) return Effect.succeed(underWay)
      const ended: Ending = Deferred.makeUnsafe()
      finishing.set(id, ended)
      return tryOut(id, again).pipe(
        Effect.onExit((exit) =>
          Effect.suspend(() => {
            finishing.delete(id)
            return Deferred.done(ended, exit)
          }),
        ),
        Effect.forkIn(layerScope),
        Effect.as(ended),
      )
    }).pipe(Effect.uninterruptible)

  return {
    isFinishing: (id: UploadId) => finishing.has(id),
    finish,
    /** Remembers an outcome that was found without the file being whole. */
    conclude,
  }
})
