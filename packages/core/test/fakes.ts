/** A runtime and a scanner that do what a test tells them, and the registry put together on them. */
import { createHash } from "node:crypto"
import { NodeServices } from "@effect/platform-node"
import { Context, Effect, FileSystem, Layer, Path, Stream } from "effect"
import { layerArtifactStoreLocal } from "../src/artifacts/LocalArtifactStore.ts"
import { AuditLog } from "../src/audit/AuditLog.ts"
import { AuditStore } from "../src/audit/AuditStore.ts"
import type { EventStore } from "../src/events/EventStore.ts"
import { RegistryChanges } from "../src/events/RegistryChanges.ts"
import { ForgeConfig } from "../src/ForgeConfig.ts"
import { Inference } from "../src/inference/Inference.ts"
import {
  type LoadedModel,
  LoadFailed,
  ModelRuntime,
  type Placement,
  RunnerUnavailable,
  RuntimeError,
} from "../src/inference/ModelRuntime.ts"
import type { ModelGraph } from "../src/model/ModelGraph.ts"
import type { Signature } from "../src/model/Signature.ts"
import { Digest, type ModelSummary } from "../src/model/Version.ts"
import { layerRegistryStoreMemory } from "../src/registry/MemoryRegistryStore.ts"
import { type ModelScan, ModelScanner, UnusableModel } from "../src/registry/ModelScanner.ts"
import { Registry } from "../src/registry/Registry.ts"
import { RegistryError, StoreUnavailable, type UploadInterrupted } from "../src/registry/RegistryError.ts"
import { RegistryStore } from "../src/registry/RegistryStore.ts"
import { layerUploadStoreLocal } from "../src/uploads/LocalUploadStore.ts"
import { UploadSessions } from "../src/uploads/UploadSessions.ts"

export const loadFailed = (detail: string) => new RuntimeError({ reason: new LoadFailed({ detail }) })
export const runnerUnavailable = (detail: string) =>
  new RuntimeError({ reason: new RunnerUnavailable({ detail }) })

/** Succeeds at everything, unless a test sets its members to something else. */
export class FakeRuntime {
  /** Digests, as the names of the files say. */
  readonly loads: Array<string> = []
  readonly released: Array<string> = []
  /** How each was loaded, in the order of `loads`. */
  readonly placements: Array<Placement> = []
  /** Files. */
  readonly trials: Array<string> = []
  load: (digest: string) => Effect.Effect<void, RuntimeError> = () => Effect.void
  release: (digest: string) => Effect.Effect<void> = () => Effect.void
  trial: (file: string) => Effect.Effect<void, RuntimeError> = () => Effect.void
  run: LoadedModel["run"] = () => Promise.resolve({ outputs: {}, queueMs: 1, computeMs: 2 })

  /** What a loaded model takes in memory. */
  memoryBytes: (digest: string) => Promise<number> = () => Promise.resolve(0)
  estimateBytes: (size: number) => number = (size) => size
  instances = 1
  /** Why the models take no runs, by digest. */
  readonly failed = new Map<string, RuntimeError>()

  readonly layer = Layer.succeed(ModelRuntime, {
    estimateBytes: (size) => this.estimateBytes(size),
    load: Effect.fnUntraced({ self: this }, function* (file: string, placement: Placement = {}) {
      const digest = file.slice(-64)
      this.loads.push(digest)
      this.placements.push(placement)
      yield* this.load(digest)
      yield* Effect.addFinalizer(() =>
        Effect.andThen(
          this.release(digest),
          Effect.sync(() => this.released.push(digest)),
        ),
      )
      const { failed } = this
      return {
        instances: this.instances,
        concurrency: 2,
        get failure() {
          return failed.get(digest)
        },
        run: (members, outputs) => this.run(members, outputs),
        memoryBytes: () => this.memoryBytes(digest),
      } satisfies LoadedModel
    }),
    trial: (file) =>
      Effect.suspend(() => {
        this.trials.push(file)
        return this.trial(file)
      }),
  })
}

export const signature: Signature = {
  inputs: [{ name: "x", datatype: "FP32", shape: ["batch", 2] }],
  outputs: [
    { name: "y", datatype: "FP32", shape: ["batch"] },
    { name: "z", datatype: "INT64", shape: ["batch"] },
  ],
}

export const summary: ModelSummary = {
  irVersion: 10,
  opsets: { "ai.onnx": 21 },
  producer: "a test",
  parameters: 1,
  nodes: 1,
  operators: { Identity: 1 },
  metadata: {},
  docString: "",
}

export const graph: ModelGraph = { views: [], complete: false, notes: ["not drawn"] }

/** Bytes that the scanner refuses as soon as they arrive. */
export const forbidden = "forbidden"

const layerFakeScanner = Layer.succeed(ModelScanner, {
  start: Effect.sync((): ModelScan => {
    let size = 0
    return {
      push: (chunk) => {
        size += chunk.length
        return new TextDecoder().decode(chunk).includes(forbidden)
          ? Effect.fail(new UnusableModel({ code: "external-data", detail: "it points at other files" }))
          : Effect.void
      },
      finish: Effect.suspend(() =>
        size === 0
          ? Effect.fail(new UnusableModel({ code: "empty", detail: "the file is empty" }))
          : Effect.succeed({ signature, summary, graph }),
      ),
    }
  }),
})

export const storeDown = new RegistryError({
  reason: new StoreUnavailable({ operation: "test", cause: new Error("the database is away") }),
})

/** Fails the next operations of a store, or holds them up. */
export class Outage {
  readonly #failures = new Map<keyof RegistryStore["Service"], number>()
  readonly #gates = new Map<keyof RegistryStore["Service"], Effect.Effect<void>>()
  /** Every call of the operation waits for `gate` first. */
  hold(operation: keyof RegistryStore["Service"], gate: Effect.Effect<void>) {
    this.#gates.set(operation, gate)
  }
  /** The next `times` calls of the operation fail. */
  fail(operation: keyof RegistryStore["Service"], times = Number.POSITIVE_INFINITY) {
    this.#failures.set(operation, times)
  }
  end() {
    this.#failures.clear()
  }
  readonly over = <A, E, R>(operation: keyof RegistryStore["Service"], effect: Effect.Effect<A, E, R>) =>
    Effect.suspend((): Effect.Effect<A, E | RegistryError, R> => {
      const left = this.#failures.get(operation) ?? 0
      const gate = this.#gates.get(operation) ?? Effect.void
      if (left <= 0) return Effect.andThen(gate, effect)
      this.#failures.set(operation, left - 1)
      return Effect.fail(storeDown)
    })
}

/** The store, with outages of what tests make fail. */
const withOutages = (outage: Outage, store: RegistryStore["Service"]) =>
  RegistryStore.of({
    ...store,
    findModel: (name) => outage.over("findModel", store.findModel(name)),
    insertVersion: (draft) => outage.over("insertVersion", store.insertVersion(draft)),
    listValidating: outage.over("listValidating", store.listValidating),
    settleVersion: (model, version, verdict) =>
      outage.over("settleVersion", store.settleVersion(model, version, verdict)),
    setTraffic: (model, policy, options) =>
      outage.over("setTraffic", store.setTraffic(model, policy, options)),
    findRoutes: (model) => outage.over("findRoutes", store.findRoutes(model)),
    listRoutes: outage.over("listRoutes", store.listRoutes),
  })

/** A registry on a folder and a store that outlive it, so that a test can start it again. */
export class World {
  readonly runtime = new FakeRuntime()
  readonly outage = new Outage()
  readonly directory: string
  readonly staging: string
  readonly store: RegistryStore["Service"]
  /** The stores without outages. */
  readonly stored: Context.Context<RegistryStore | EventStore | RegistryChanges | AuditStore>
  readonly layer
  constructor(
    directory: string,
    stored: Context.Context<RegistryStore | EventStore | RegistryChanges | AuditStore>,
    settings: Partial<ForgeConfig["Service"]>,
  ) {
    this.directory = directory
    this.staging = `${directory}/staging`
    this.store = Context.get(stored, RegistryStore)
    this.stored = stored
    const stores = Layer.mergeAll(
      Layer.succeed(RegistryStore, withOutages(this.outage, this.store)),
      Layer.succeed(RegistryChanges, Context.get(stored, RegistryChanges)),
      AuditLog.layer.pipe(Layer.provide(Layer.succeed(AuditStore, Context.get(stored, AuditStore)))),
      layerArtifactStoreLocal(directory),
      layerUploadStoreLocal(`${directory}/uploads`),
    )
    this.layer = Layer.fresh(
      Inference.layer.pipe(
        Layer.merge(UploadSessions.layer),
        Layer.provideMerge(Registry.layer),
        Layer.provideMerge(Layer.mergeAll(stores, this.runtime.layer, layerFakeScanner)),
        Layer.provide(ForgeConfig.layer(settings)),
        Layer.provide(NodeServices.layer),
      ),
    )
  }

  /** Runs an effect with the registry open, and closes it. */
  readonly open = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.scoped(Effect.provide(effect, this.layer, { local: true }))

  /** Names of the files that are being received. */
  readonly staged = Effect.provide(
    Effect.gen({ self: this }, function* () {
      const fs = yield* FileSystem.FileSystem
      return yield* fs.readDirectory(this.staging)
    }),
    NodeServices.layer,
  )

  /** Digests of the artifacts in the folder. */
  readonly artifacts = Effect.provide(
    Effect.gen({ self: this }, function* () {
      const fs = yield* FileSystem.FileSystem
      const path = yield* Path.Path
      const files = yield* fs.readDirectory(path.join(this.directory, "sha256"), { recursive: true })
      return files.map((file) => path.basename(file)).filter((name) => name.length === 64)
    }),
    NodeServices.layer,
  )

  static readonly make = (settings: Partial<ForgeConfig["Service"]> = {}) =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const directory = yield* fs.makeTempDirectoryScoped({ prefix: "modelforge-test-" })
      return new World(directory, yield* Layer.build(Layer.fresh(layerRegistryStoreMemory)), settings)
    }).pipe(Effect.provide(NodeServices.layer))
}

export const bytesOf = (content: string): Uint8Array => new TextEncoder().encode(content)

export const digestOf = (content: string): Digest =>
  Digest.make(createHash("sha256").update(content).digest("hex"))

/** A file in chunks of three bytes. */
export const streamOf = (content: string): Stream.Stream<Uint8Array, UploadInterrupted> => {
  const bytes = bytesOf(content)
  const chunks: Array<Uint8Array> = []
  for (let at = 0; at < bytes.length; at += 3) chunks.push(bytes.slice(at, at + 3))
  return Stream.fromIterable(chunks)
}
