/** The registry's failures as problems. Causes go to the log, never to the client. */
import {
  ModelName,
  ModelNotFound,
  RegistryError,
  type RegistryReason,
  UploadError,
  type UploadReason,
} from "@modelforge/core"
import { Effect, Option } from "effect"
import { type RegistryProblem, registryProblem, type UploadProblem, uploadProblem } from "../problems.ts"

type ProblemOf<Tag extends RegistryReason["_tag"]> = Extract<
  RegistryProblem,
  { readonly _tag: ProblemTag[Tag] }
>

/** Which class a reason becomes, so that handlers declare exactly what their endpoint can answer. */
interface ProblemTag {
  readonly ModelNotFound: "ModelNotFoundProblem"
  readonly ModelExists: "ModelExistsProblem"
  readonly VersionNotFound: "VersionNotFoundProblem"
  readonly GraphNotFound: "GraphNotFoundProblem"
  readonly DuplicateVersion: "DuplicateVersionProblem"
  readonly VersionConflict: "VersionConflictProblem"
  readonly AliasNotFound: "AliasNotFoundProblem"
  readonly AliasMoved: "AliasConflictProblem"
  readonly NothingToRestore: "AliasConflictProblem"
  readonly IncompatibleSignature: "IncompatibleSignatureProblem"
  readonly TrafficNotFound: "TrafficNotFoundProblem"
  readonly TrafficConflict: "TrafficConflictProblem"
  readonly IncompatibleSplit: "IncompatibleSplitProblem"
  readonly RevisionMismatch: "PreconditionFailedProblem"
  readonly UnusableSample: "InvalidRequestProblem"
  readonly DigestMismatch: "DigestMismatchProblem"
  readonly ArtifactTooLarge: "TooLargeProblem"
  readonly UploadInterrupted: "UploadInterruptedProblem"
  readonly UnusableModel: "UnusableModelProblem"
  readonly StoreUnavailable: "UnavailableProblem"
}

/**
 * Answers the reasons that the endpoint declares, and `StoreUnavailable`, which every endpoint may meet. Any other
 * reason is a bug.
 */
export const answering =
  <const Tags extends ReadonlyArray<RegistryReason["_tag"]>>(...tags: Tags) =>
  <A, E, R>(effect: Effect.Effect<A, E | RegistryError, R>) =>
    Effect.catch(effect, (error): Answered<E, Tags[number] | "StoreUnavailable"> => {
      if (!(error instanceof RegistryError)) return Effect.fail(error as Exclude<E, RegistryError>)
      const { reason } = error
      const expected: ReadonlyArray<string> = [...tags, "StoreUnavailable"]
      if (!expected.includes(reason._tag)) return Effect.die(error)
      const problem = Effect.fail(registryProblem(reason) as ProblemOf<Tags[number] | "StoreUnavailable">)
      return reason._tag === "StoreUnavailable"
        ? Effect.andThen(Effect.logError(reason.message, reason.cause), problem)
        : problem
    })

type Answered<E, Tag extends RegistryReason["_tag"]> = Effect.Effect<
  never,
  Exclude<E, RegistryError> | ProblemOf<Tag>
>

interface UploadProblemTag {
  readonly UploadNotFound: "UploadNotFoundProblem"
  readonly UploadLocked: "UploadLockedProblem"
  readonly OffsetMismatch: "OffsetMismatchProblem"
  readonly ChecksumMismatch: "ChecksumMismatchProblem"
  readonly UploadOverrun: "TooLargeProblem"
  readonly UploadFragmented: "BadRequestProblem"
  readonly TooManyUploads: "OverloadedProblem"
  readonly UploadStorageFailed: "UnavailableProblem"
}

type AnsweredUpload<E, Tag extends UploadReason["_tag"]> = Effect.Effect<
  never,
  Exclude<E, UploadError> | Extract<UploadProblem, { readonly _tag: UploadProblemTag[Tag] }>
>

/** The same for uploads that can be continued, every one of which may meet `UploadStorageFailed`. */
export const answeringUploads =
  <const Tags extends ReadonlyArray<UploadReason["_tag"]>>(...tags: Tags) =>
  <A, E, R>(effect: Effect.Effect<A, E | UploadError, R>) =>
    Effect.catch(effect, (error): AnsweredUpload<E, Tags[number] | "UploadStorageFailed"> => {
      if (!(error instanceof UploadError)) return Effect.fail(error as Exclude<E, UploadError>)
      const { reason } = error
      const expected: ReadonlyArray<string> = [...tags, "UploadStorageFailed"]
      if (!expected.includes(reason._tag)) return Effect.die(error)
      const problem = Effect.fail(
        uploadProblem(reason) as Extract<
          UploadProblem,
          { readonly _tag: UploadProblemTag[Tags[number] | "UploadStorageFailed"] }
        >,
      )
      return reason._tag === "UploadStorageFailed"
        ? Effect.andThen(Effect.logError(reason.message, reason.cause), problem)
        : problem
    })

/** A model name from a path. What can't be a name is no model's. */
export const modelName = (name: string): Effect.Effect<ModelName, RegistryError> =>
  Option.match(ModelName.makeOption(name), {
    onNone: () => Effect.fail(new RegistryError({ reason: new ModelNotFound({ model: name }) })),
    onSome: Effect.succeed,
  })
