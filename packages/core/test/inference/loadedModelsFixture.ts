/** `LoadedModels` on a runtime and routes that do what a test tells them. */
import { assert } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Option, Scope } from "effect"
import {
  ArtifactCorrupt,
  ArtifactError,
  ArtifactNotFound,
  ArtifactStorageFailed,
} from "../../src/artifacts/ArtifactError.ts"
import { ArtifactStore } from "../../src/artifacts/ArtifactStore.ts"
import { AuditLog } from "../../src/audit/AuditLog.ts"
import { layerAuditStoreMemory } from "../../src/audit/MemoryAudit.ts"
import { ForgeConfig, type Settings } from "../../src/ForgeConfig.ts"
import type { Batcher } from "../../src/inference/Batcher.ts"
import { InferenceError } from "../../src/inference/InferenceError.ts"
import { LoadedModels } from "../../src/inference/LoadedModels.ts"
import type { RunResult } from "../../src/inference/ModelRuntime.ts"
import { ModelStatistics } from "../../src/inference/ModelStatistics.ts"
import type { ModelConfig } from "../../src/model/ModelConfig.ts"
import { ModelName } from "../../src/model/Names.ts"
import type { Tensor, Tensors } from "../../src/model/Tensor.ts"
import { type Digest, VersionNumber } from "../../src/model/Version.ts"
import type { Route } from "../../src/registry/Route.ts"
import { type Routed, RoutingTable } from "../../src/registry/RoutingTable.ts"
import { digestOf, FakeRuntime, signature } from "../fakes.ts"

export const [a, b, missing, broken] = ["a", "b", "missing", "broken"].map(digestOf) as [
  Digest,
  Digest,
  Digest,
  Digest,
]

export const damaged = digestOf("damaged")

export const routeTo = (digest: Digest, config: ModelConfig = {}): Route => ({
  id: digest,
  model: ModelName.make("digits"),
  version: VersionNumber.make(1),
  digest,
  size: 100,
  signature,
  outputNames: signature.outputs.map(({ name }) => name),
  config,
})

const layerArtifacts = Layer.mock(ArtifactStore, {
  file: (digest) => {
    if (digest === missing)
      return Effect.fail(new ArtifactError({ reason: new ArtifactNotFound({ digest }) }))
    if (digest === damaged) return Effect.fail(new ArtifactError({ reason: new ArtifactCorrupt({ digest }) }))
    if (digest === broken)
      return Effect.fail(
        new ArtifactError({
          reason: new ArtifactStorageFailed({ operation: "file", cause: new Error("/secret/path") }),
        }),
      )
    return Effect.succeed(`/artifacts/${digest}`)
  },
})

interface Start {
  readonly settings?: Partial<Settings>
  /** What an alias points at from the start. */
  readonly aliased?: ReadonlyArray<Digest>
  readonly runtime?: FakeRuntime
}

/** The models, what they run on, and what tells them which versions are routed to. */
export const open = Effect.fnUntraced(function* ({
  settings,
  aliased = [],
  runtime = new FakeRuntime(),
}: Start = {}) {
  const listeners: Array<(routed: Routed) => void> = []
  const announcement = (routes: ReadonlyArray<Route>, withAlias: ReadonlyArray<string> = []): Routed => ({
    routes: new Map(routes.map((route) => [route.id, route])),
    aliased: new Set(withAlias),
  })
  const layerRouting = Layer.succeed(RoutingTable, {
    resolve: () => assert.fail("not its business"),
    stickyHeader: () => undefined,
    renew: (route) => route,
    ruled: () => undefined,
    shadows: () => undefined,
    anticipate: () => assert.fail("not its business"),
    models: () => [],
    readyVersions: () => undefined,
    refresh: () => Effect.void,
    thenRefresh: (_model, change) => change,
    outOfReachSince: Option.none,
    handOverBy: () => Effect.void,
    onChange: (listener) =>
      Effect.sync(() => {
        listeners.push(listener)
        listener(
          announcement(
            aliased.map((digest) => routeTo(digest)),
            aliased,
          ),
        )
      }),
  })
  const scope = yield* Effect.acquireRelease(Scope.make(), (it) => Scope.close(it, Exit.void))
  const context = yield* Layer.buildWithScope(
    Layer.fresh(
      LoadedModels.layer.pipe(
        Layer.provideMerge(AuditLog.layer.pipe(Layer.provide(layerAuditStoreMemory))),
        Layer.provide(ModelStatistics.layer),
        Layer.provide(
          Layer.mergeAll(layerArtifacts, layerRouting, runtime.layer, ForgeConfig.layer(settings)),
        ),
      ),
    ),
    scope,
  )
  const models = yield* Effect.provideContext(LoadedModels, context)
  const announce = (routes: ReadonlyArray<Route>, withAlias?: ReadonlyArray<string>) => {
    for (const listener of listeners) listener(announcement(routes, withAlias))
  }
  return {
    runtime,
    models,
    audit: Context.get(context, AuditLog),
    announce,
    route: (...digests: ReadonlyArray<Digest>) => announce(digests.map((digest) => routeTo(digest))),
    close: Scope.close(scope, Exit.void),
  }
})

export const loaded = (models: LoadedModels["Service"], digest: Digest) =>
  Effect.promise(async () => await models.get(routeTo(digest)))

/** How a promise was rejected; fails the test when it was not. */
export const rejection = (promise: unknown): Effect.Effect<InferenceError> =>
  Effect.promise(() =>
    Promise.resolve(promise).then(
      () => assert.fail("it was not rejected"),
      (error: unknown) => {
        assert.instanceOf(error, InferenceError)
        return error
      },
    ),
  )

/** Sums of rows, and their first elements; all that is joined is given in one run. */
export const sums = (members: ReadonlyArray<Tensors>): Promise<RunResult> => {
  const y: Array<number> = []
  const z: Array<bigint> = []
  for (const { x } of members)
    for (let at = 0; at < (x?.data.length ?? 0); at += 2) {
      y.push(Number(x?.data[at]) + Number(x?.data[at + 1]))
      z.push(BigInt(Math.floor(Number(x?.data[at]))))
    }
  const outputs: Tensors = {
    y: { datatype: "FP32", shape: [y.length], data: Float32Array.from(y) },
    z: { datatype: "INT64", shape: [z.length], data: BigInt64Array.from(z) },
  }
  // Joining pays: a run costs the same, however many rows it has.
  return Promise.resolve({ outputs, queueMs: 0, computeMs: 1 })
}

export const x = (...data: ReadonlyArray<number>): Tensor => ({
  datatype: "FP32",
  shape: [data.length / 2, 2],
  data: Float32Array.from(data),
})

export const submit = (batcher: Batcher, tensor: Tensor) =>
  batcher.submit({ inputs: { x: tensor }, outputs: ["y"], priority: 0, signal: undefined, timeoutMs: 30_000 })

/** Everything that is due by now has happened. */
export const settle = Effect.promise(async () => {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
})
