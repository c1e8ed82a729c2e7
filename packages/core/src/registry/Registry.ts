/** Models and versions as people manage them. Uploads are in `Uploads`, aliases in `Aliases`. */
import { Context, Effect, Layer, Option, Stream } from "effect"
import { ArtifactStore } from "../artifacts/ArtifactStore.ts"
import type { Model, ModelDraft } from "../model/Model.ts"
import type { ModelConfig } from "../model/ModelConfig.ts"
import type { ModelName } from "../model/Names.ts"
import { type Digest, type Version, VersionNumber } from "../model/Version.ts"
import { Aliases } from "./Aliases.ts"
import type { Expectation } from "./Expectation.ts"
import {
  GraphNotFound,
  ModelNotFound,
  RegistryError,
  StoreUnavailable,
  VersionNotFound,
} from "./RegistryError.ts"
import {
  type ModelChange,
  type ModelFilter,
  RegistryStore,
  type VersionWindow,
  type Window,
} from "./RegistryStore.ts"
import { RoutingTable } from "./RoutingTable.ts"
import { TrafficPolicies } from "./TrafficPolicies.ts"
import { Uploads } from "./Uploads.ts"
import { unusableSample } from "./unusableSample.ts"
import { Validator } from "./Validator.ts"

/** An artifact on its way out. */
export interface Download {
  readonly digest: Digest
  /** Bytes. */
  readonly size: number
  readonly bytes: Stream.Stream<Uint8Array, RegistryError>
}

/** The graph of a version, for viewers. */
export interface StoredGraph {
  /** Of the artifact, and so of the graph that was read from it. */
  readonly digest: Digest
  /** A `ModelGraph` as JSON; some megabytes for a large model. Fails with `GraphNotFound`. */
  readonly json: Effect.Effect<string, RegistryError>
}

export class Registry extends Context.Service<
  Registry,
  {
    /** Fails with `ModelExists`. */
    readonly createModel: (draft: ModelDraft) => Effect.Effect<Model, RegistryError>
    /** Fails with `ModelNotFound`. */
    readonly model: (name: ModelName) => Effect.Effect<Model, RegistryError>
    /** By name, ascending. */
    readonly models: (
      filter: ModelFilter,
      window: Window<ModelName>,
    ) => Effect.Effect<ReadonlyArray<Model>, RegistryError>
    /** Fails with `ModelNotFound`, or `RevisionMismatch` when the model is not the expected one. */
    readonly updateModel: (
      name: ModelName,
      change: ModelChange,
      expected?: Expectation,
    ) => Effect.Effect<Model, RegistryError>
    /**
     * Replaces how the model's versions are served; what is absent is the server's to choose. Takes effect on this
     * server at once, without a gap in serving. Fails with `ModelNotFound`, `UnusableSample`, or `RevisionMismatch` of
     * the config.
     */
    readonly configure: (
      name: ModelName,
      config: ModelConfig,
      expected?: Expectation,
    ) => Effect.Effect<Model, RegistryError>
    /** Deletes a model and all its versions. Fails with `ModelNotFound`, or `RevisionMismatch` of the model. */
    readonly deleteModel: (name: ModelName, expected?: Expectation) => Effect.Effect<void, RegistryError>
    /** By number or alias. Fails with `ModelNotFound` or `VersionNotFound`. */
    readonly version: (model: ModelName, version: string) => Effect.Effect<Version, RegistryError>
    /** Newest first. Fails with `ModelNotFound`. */
    readonly versions: (
      model: ModelName,
      window: VersionWindow,
    ) => Effect.Effect<ReadonlyArray<Version>, RegistryError>
    /** Fails with `ModelNotFound`, `VersionNotFound`, or `RevisionMismatch` of the version. */
    readonly describeVersion: (
      model: ModelName,
      version: string,
      description: string,
      expected?: Expectation,
    ) => Effect.Effect<Version, RegistryError>
    /**
     * Fails with `ModelNotFound`, `VersionNotFound`, `VersionConflict` while an alias or the traffic policy names it, or
     * `RevisionMismatch` of the version.
     */
    readonly deleteVersion: (
      model: ModelName,
      version: string,
      expected?: Expectation,
    ) => Effect.Effect<void, RegistryError>
    /** The file of a version. Fails with `ModelNotFound` or `VersionNotFound`. */
    readonly artifact: (model: ModelName, version: string) => Effect.Effect<Download, RegistryError>
    /** By number or alias. Fails with `ModelNotFound` or `VersionNotFound`. */
    readonly graph: (model: ModelName, version: string) => Effect.Effect<StoredGraph, RegistryError>
    /**
     * From then on no request is routed to it, and it can be restored. Fails with `ModelNotFound`, `VersionNotFound`, or
     * `VersionConflict` when it is neither ready nor archived, or while an alias or the traffic policy names it.
     */
    readonly archiveVersion: (model: ModelName, version: string) => Effect.Effect<Version, RegistryError>
    /** Fails with `ModelNotFound`, `VersionNotFound`, or `VersionConflict` when it is neither archived nor ready. */
    readonly restoreVersion: (model: ModelName, version: string) => Effect.Effect<Version, RegistryError>
  }
>()("@modelforge/core/registry/Registry") {
  static readonly make = Effect.gen(function* () {
    const store = yield* RegistryStore
    const artifacts = yield* ArtifactStore
    const { readyVersions, thenRefresh } = yield* RoutingTable
    const validator = yield* Validator

    yield* Effect.forkScoped(validator.resume)

    const model = Effect.fn("Registry.model")(function* (name: ModelName) {
      const found = yield* store.findModel(name)
      return Option.isSome(found)
        ? found.value
        : yield* new RegistryError({ reason: new ModelNotFound({ model: name }) })
    })

    const version = Effect.fn("Registry.version")(function* (name: ModelName, ref: string) {
      const { aliases } = yield* model(name)
      const number = /^[1-9]\d{0,9}$/.test(ref)
        ? VersionNumber.makeOption(Number(ref))
        : Option.fromUndefinedOr(Object.entries(aliases).find(([alias]) => alias === ref)?.[1])
      const found = Option.isSome(number)
        ? yield* store.findVersion(name, number.value)
        : Option.none<Version>()
      return Option.isSome(found)
        ? found.value
        : yield* new RegistryError({ reason: new VersionNotFound({ model: name, version: ref }) })
    })

    const setArchived = (name: ModelName, ref: string, archived: boolean) =>
      Effect.flatMap(version(name, ref), (found) =>
        thenRefresh(name, store.setArchived(name, found.version, archived)),
      )

    return Registry.of({
      model,
      version,
      models: store.listModels,
      createModel: (draft) => thenRefresh(draft.name, store.insertModel(draft)),
      updateModel: store.updateModel,
      configure: Effect.fn("Registry.configure")(function* (name, config, expected) {
        const refusal = unusableSample(name, config, readyVersions(name) ?? [])
        if (refusal !== undefined) return yield* new RegistryError({ reason: refusal })
        return yield* thenRefresh(name, store.setConfig(name, config, expected))
      }),
      deleteModel: (name, expected) => thenRefresh(name, store.deleteModel(name, expected)),
      versions: Effect.fn("Registry.versions")(function* (name, window) {
        yield* model(name)
        return yield* store.listVersions(name, window)
      }),
      describeVersion: Effect.fn("Registry.describeVersion")(function* (name, ref, description, expected) {
        const found = yield* version(name, ref)
        return yield* store.describeVersion(name, found.version, description, expected)
      }),
      deleteVersion: Effect.fn("Registry.deleteVersion")(function* (name, ref, expected) {
        const found = yield* version(name, ref)
        yield* thenRefresh(name, store.deleteVersion(name, found.version, expected))
      }),
      artifact: Effect.fn("Registry.artifact")(function* (name, ref) {
        const { digest, size } = yield* version(name, ref)
        const bytes = artifacts.read(digest).pipe(
          Stream.mapError(
            (cause) =>
              new RegistryError({
                reason: new StoreUnavailable({ operation: "read the artifact", cause }),
              }),
          ),
        )
        return { digest, size, bytes }
      }),
      graph: Effect.fn("Registry.graph")(function* (name, ref) {
        const { digest, version: number } = yield* version(name, ref)
        const missing = new RegistryError({ reason: new GraphNotFound({ model: name, version: number }) })
        const json = Effect.flatMap(
          store.findGraph(name, number),
          Option.match({ onNone: () => Effect.fail(missing), onSome: Effect.succeed }),
        )
        return { digest, json }
      }),
      archiveVersion: Effect.fn("Registry.archiveVersion")((name, ref) => setArchived(name, ref, true)),
      restoreVersion: Effect.fn("Registry.restoreVersion")((name, ref) => setArchived(name, ref, false)),
    })
  })

  static readonly layerNoDeps = Layer.effect(this, this.make)

  /** The registry with its aliases, traffic policies, uploads and routes; needs the stores, a scanner, a runtime and settings. */
  static readonly layer = Layer.mergeAll(
    this.layerNoDeps,
    Aliases.layer,
    TrafficPolicies.layer,
    Uploads.layer,
  ).pipe(Layer.provide(Validator.layer), Layer.provideMerge(RoutingTable.layer))
}
