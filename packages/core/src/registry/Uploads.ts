/** Turns arriving bytes into a version: scan while they arrive, try before anything is committed. */
import { Context, Effect, Exit, Fiber, Layer, Option, Scope, Stream } from "effect"
import type { ArtifactError } from "../artifacts/ArtifactError.ts"
import { ArtifactStore, type StagedArtifact } from "../artifacts/ArtifactStore.ts"
import { Actor } from "../events/Actor.ts"
import { ForgeConfig } from "../ForgeConfig.ts"
import { type AliasName, type ModelName, productionAlias } from "../model/Names.ts"
import type { Signature } from "../model/Signature.ts"
import type { Digest, Version } from "../model/Version.ts"
import { incompatibleMove } from "./incompatibleMove.ts"
import { ModelScanner, type ScannedModel, UnusableModel } from "./ModelScanner.ts"
import {
  DigestMismatch,
  DuplicateVersion,
  ModelNotFound,
  RegistryError,
  StoreUnavailable,
  TrafficConflict,
  type UploadInterrupted,
} from "./RegistryError.ts"
import { RegistryStore, type Verdict, type VersionDraft } from "./RegistryStore.ts"
import { RoutingTable } from "./RoutingTable.ts"
import { Validator } from "./Validator.ts"

export interface Upload {
  readonly model: ModelName
  /** The file, in order. */
  readonly bytes: Stream.Stream<Uint8Array, UploadInterrupted>
  /** The SHA-256 that the sender announced. */
  readonly expectedDigest?: Digest | undefined
  /** Makes the model when there is none. Default: false. */
  readonly createModel?: boolean | undefined
  /** Points here once the version is `ready`. */
  readonly alias?: AliasName | undefined
  /** Moves the alias even if its callers may fail with the new signature. Default: false. */
  readonly force?: boolean | undefined
  readonly description?: string | undefined
  /** Default: the `Actor`. */
  readonly createdBy?: string | undefined
}

/** An upload that passed the scan, while its trial goes on. */
interface Candidate {
  readonly staged: StagedArtifact
  readonly scanned: ScannedModel
  readonly trial: Fiber.Fiber<Verdict>
}

const storageFailure = ({ reason }: ArtifactError): RegistryError =>
  new RegistryError({
    reason:
      reason._tag === "ArtifactTooLarge"
        ? reason
        : new StoreUnavailable({ operation: "store the artifact", cause: reason }),
  })

export class Uploads extends Context.Service<
  Uploads,
  {
    /**
     * Receives a file and makes it the next version of its model. The answer is `ready`, or `validating` when the
     * trial load takes longer than the configured patience. Fails with `ModelNotFound`, `ArtifactTooLarge`,
     * `DigestMismatch`, `UnusableModel`, `DuplicateVersion`, `UploadInterrupted`, `TrafficConflict` when `production` is
     * asked for while a traffic policy is in force, or, unless forced, with
     * `IncompatibleSignature` when callers of the alias may fail with the file; then, or when it is interrupted before the
     * commit, nothing of the upload remains. What was answered as `validating` doesn't get the alias where these would
     * have been the answer.
     */
    readonly receive: (upload: Upload) => Effect.Effect<Version, RegistryError>
  }
>()("@modelforge/core/registry/Uploads") {
  static readonly make = Effect.gen(function* () {
    const { maxArtifactBytes, validationPatience } = yield* ForgeConfig
    const store = yield* RegistryStore
    const artifacts = yield* ArtifactStore
    const scanner = yield* ModelScanner
    const validator = yield* Validator
    const routing = yield* RoutingTable
    const layerScope = yield* Effect.scope

    const refuse = (reason: RegistryError["reason"]) => Effect.fail(new RegistryError({ reason }))

    /** Before the trial, which costs most. The store makes the same checks where it sets the alias: it may move meanwhile. */
    const checkAlias = Effect.fnUntraced(function* (
      model: ModelName,
      alias: AliasName,
      signature: Signature,
      force: boolean,
    ) {
      const known = yield* store.findModel(model)
      if (alias === productionAlias && Option.isSome(known) && known.value.traffic !== null)
        return yield* refuse(TrafficConflict.splitInForce(model))
      if (force) return
      const [newest] = yield* store.listMoves(model, alias, { limit: 1 })
      if (newest === undefined || newest.version === null) return
      const from = yield* store.findVersion(model, newest.version)
      const why = Option.map(from, (from) => incompatibleMove(alias, from, { version: null, signature }))
      if (Option.isSome(why) && why.value !== undefined) return yield* refuse(why.value)
    })

    /** Scans the bytes while they are staged, and begins the trial. Both end with the scope. */
    const take = Effect.fnUntraced(function* (upload: Upload) {
      const scan = yield* scanner.start
      const staged = yield* artifacts.stage(Stream.tap(upload.bytes, scan.push), maxArtifactBytes).pipe(
        Effect.catchTags({
          ArtifactError: (error) => Effect.fail(storageFailure(error)),
          UploadInterrupted: refuse,
          UnusableModel: refuse,
        }),
      )
      const scanned = yield* Effect.catchTag(scan.finish, "UnusableModel", refuse)
      const { expectedDigest } = upload
      if (expectedDigest !== undefined && expectedDigest !== staged.digest)
        return yield* refuse(new DigestMismatch({ expected: expectedDigest, actual: staged.digest }))
      const duplicate = yield* store.findDigest(upload.model, staged.digest)
      if (Option.isSome(duplicate))
        return yield* refuse(
          new DuplicateVersion({ model: upload.model, version: duplicate.value, digest: staged.digest }),
        )
      if (upload.alias !== undefined)
        yield* checkAlias(upload.model, upload.alias, scanned.signature, upload.force === true)
      const trial = yield* Effect.forkScoped(validator.judge(staged.file, scanned.signature))
      return { staged, scanned, trial } satisfies Candidate
    })

    /** Takes an upload and waits for the end of its trial, as long as patience lasts. */
    const judge = Effect.fnUntraced(function* (upload: Upload) {
      if (upload.createModel !== true && Option.isNone(yield* store.findModel(upload.model)))
        return yield* refuse(new ModelNotFound({ model: upload.model }))
      const candidate = yield* take(upload)
      const verdict = yield* Effect.timeoutOption(Fiber.join(candidate.trial), validationPatience)
      if (Option.isNone(verdict)) return { ...candidate, state: "validating" } as const
      if (verdict.value.state === "invalid")
        return yield* refuse(new UnusableModel({ code: "not-loadable", detail: verdict.value.reason }))
      return { ...candidate, state: "ready" } as const
    })

    const commit = Effect.fnUntraced(function* (
      upload: Upload,
      { staged, scanned, trial, state }: Candidate & Pick<VersionDraft, "state">,
    ) {
      yield* Effect.mapError(staged.commit, storageFailure)
      const version = yield* store.insertVersion({
        model: upload.model,
        digest: staged.digest,
        size: staged.size,
        state,
        signature: scanned.signature,
        summary: scanned.summary,
        graph: JSON.stringify(scanned.graph),
        description: upload.description ?? "",
        createdBy: upload.createdBy ?? (yield* Actor),
        createModel: upload.createModel ?? false,
        alias: upload.alias ?? null,
        force: upload.force ?? false,
      })
      // A collector that did not see the row yet may have taken the artifact away meanwhile: then this puts it back.
      yield* Effect.catch(staged.commit, (error) =>
        Effect.logWarning(
          `The artifact of ${upload.model} ${version.version} could not be looked for`,
          error,
        ),
      )
      // The version exists now, whether or not its route can be read at once.
      yield* Effect.ignore(routing.refresh(upload.model))
      return { version, trial }
    })

    /** Up to the commit the request can be interrupted; from there on the version exists and is brought to its end. */
    const receive = Effect.fn("Uploads.receive")((upload: Upload) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.gen(function* () {
          // Holds the staged file and its trial: until the answer, or until a trial that takes longer has ended.
          const scope = yield* Scope.fork(layerScope)
          const { version, trial } = yield* restore(judge(upload)).pipe(
            Effect.flatMap((judged) => commit(upload, judged)),
            Scope.provide(scope),
            Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause))),
          )
          const close = Scope.close(scope, Exit.void)
          if (version.state === "ready") yield* close
          else
            yield* validator
              .settle(version, Fiber.join(trial))
              .pipe(Effect.ensuring(close), Effect.forkIn(layerScope))
          return version
        }),
      ),
    )

    return Uploads.of({ receive })
  })

  static readonly layer = Layer.effect(this, this.make)
}
