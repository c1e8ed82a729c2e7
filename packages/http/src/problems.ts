/** Which problem a client sees for each reason of the domain. Causes stay here: they are for the log. */
import * as Problems from "@modelforge/api"
import type { AccessReason, InferenceError, RegistryReason, UploadReason } from "@modelforge/core"

/** What every problem class has in common. `JSON.stringify` gives its members as they are sent. */
export interface Problem extends Error {
  readonly type: string
  readonly status: number
}

export const isProblem = (error: unknown): error is Problem =>
  error instanceof Error &&
  "type" in error &&
  typeof error.type === "string" &&
  error.type.startsWith("urn:modelforge:problem:")

/** Wording of failures whose cause is ours to know and the operator's to read. */
export const tryAgain = "The server could not do this right now. Try again in a moment."

export const inferenceProblem = (reason: InferenceError["reason"]) => {
  const detail = reason.message
  switch (reason._tag) {
    case "ModelNotFound":
      return new Problems.ModelNotFoundProblem({ model: reason.model, detail })
    case "VersionNotFound":
      return new Problems.VersionNotFoundProblem({ model: reason.model, version: reason.version, detail })
    case "InvalidInputs":
      return new Problems.InvalidInputsProblem({ model: reason.model, errors: reason.issues, detail })
    case "RunFailed":
      return new Problems.RunFailedProblem({ detail })
    case "Overloaded":
      return new Problems.OverloadedProblem({ detail })
    case "DeadlineExceeded":
    case "RunTimedOut":
      return new Problems.DeadlineExceededProblem({ detail })
    case "VersionUnavailable":
    case "VersionUnloaded":
    case "LoadFailed":
    case "RunnerLost":
    case "RunnerUnavailable":
      return new Problems.UnavailableProblem({ detail })
  }
}

export const registryProblem = (reason: RegistryReason) => {
  const detail = reason.message
  switch (reason._tag) {
    case "ModelNotFound":
      return new Problems.ModelNotFoundProblem({ model: reason.model, detail })
    case "ModelExists":
      return new Problems.ModelExistsProblem({ model: reason.model, detail })
    case "VersionNotFound":
      return new Problems.VersionNotFoundProblem({ model: reason.model, version: reason.version, detail })
    case "GraphNotFound":
      return new Problems.GraphNotFoundProblem({ model: reason.model, version: reason.version, detail })
    case "DuplicateVersion":
      return new Problems.DuplicateVersionProblem({
        model: reason.model,
        version: reason.version,
        digest: reason.digest,
        detail,
      })
    case "VersionConflict":
      return new Problems.VersionConflictProblem({ model: reason.model, version: reason.version, detail })
    case "AliasNotFound":
      return new Problems.AliasNotFoundProblem({ model: reason.model, alias: reason.alias, detail })
    case "AliasMoved":
    case "NothingToRestore":
      return new Problems.AliasConflictProblem({ model: reason.model, alias: reason.alias, detail })
    case "IncompatibleSignature":
      return new Problems.IncompatibleSignatureProblem({
        model: reason.model,
        alias: reason.alias,
        from: reason.from,
        to: reason.to,
        differences: reason.differences,
        detail,
      })
    case "TrafficNotFound":
      return new Problems.TrafficNotFoundProblem({ model: reason.model, detail })
    case "TrafficConflict":
      return new Problems.TrafficConflictProblem({ model: reason.model, detail })
    case "IncompatibleSplit":
      return new Problems.IncompatibleSplitProblem({
        model: reason.model,
        from: reason.from,
        to: reason.to,
        differences: reason.differences,
        detail,
      })
    case "RevisionMismatch":
      return new Problems.PreconditionFailedProblem({
        etag: reason.present === null ? null : `"${reason.present}"`,
        detail,
      })
    case "UnusableSample":
      return new Problems.InvalidRequestProblem({
        errors: [{ path: reason.path, message: reason.detail }],
        detail,
      })
    case "DigestMismatch":
      return new Problems.DigestMismatchProblem({ detail })
    case "ArtifactTooLarge":
      return new Problems.TooLargeProblem({ limit: reason.limit, detail })
    case "UploadInterrupted":
      return new Problems.UploadInterruptedProblem({ detail })
    case "UnusableModel":
      return new Problems.UnusableModelProblem({ code: reason.code, detail })
    case "StoreUnavailable":
      return new Problems.UnavailableProblem({ detail: tryAgain })
  }
}
export type RegistryProblem = ReturnType<typeof registryProblem>

export const uploadProblem = (reason: UploadReason) => {
  const detail = reason.message
  switch (reason._tag) {
    case "UploadNotFound":
      return new Problems.UploadNotFoundProblem({ detail })
    case "UploadLocked":
      return new Problems.UploadLockedProblem({ detail })
    case "OffsetMismatch":
      return new Problems.OffsetMismatchProblem({ offset: reason.offset, detail })
    case "ChecksumMismatch":
      return new Problems.ChecksumMismatchProblem({ detail })
    case "UploadOverrun":
      return new Problems.TooLargeProblem({ limit: reason.size, detail })
    case "UploadFragmented":
      return new Problems.BadRequestProblem({ detail })
    case "TooManyUploads":
      return new Problems.OverloadedProblem({ detail })
    case "UploadStorageFailed":
      return new Problems.UnavailableProblem({ detail: tryAgain })
  }
}
export type UploadProblem = ReturnType<typeof uploadProblem>

export const accessProblem = (reason: AccessReason) => {
  const detail = reason.message
  switch (reason._tag) {
    case "KeyNotFound":
      return new Problems.KeyNotFoundProblem({ key: reason.key, detail })
    case "KeyRevoked":
      return new Problems.KeyRevokedProblem({ key: reason.key, detail })
    case "UserNotFound":
      return new Problems.UserNotFoundProblem({ user: reason.user, detail })
    case "EmailTaken":
      return new Problems.EmailTakenProblem({ email: reason.email, detail })
    case "LastAdmin":
      return new Problems.LastAdminProblem({ email: reason.email, detail })
    case "PasswordRefused":
      return new Problems.PasswordRefusedProblem({ errors: [{ path: "password", message: detail }], detail })
    case "LoginRefused":
      return new Problems.LoginRefusedProblem({ detail })
    case "OperatorKeyUnusable": // a setting's, found when a server starts
      return new Problems.InternalProblem()
    case "PasswordsBusy":
      return new Problems.UnavailableProblem({ detail })
    case "StoreUnavailable":
      return new Problems.UnavailableProblem({ detail: tryAgain })
  }
}
export type AccessProblem = ReturnType<typeof accessProblem>
