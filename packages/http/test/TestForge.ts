/**
 * A registry and an inference engine behind the HTTP handlers, on a scanner and a runtime that do what a test tells
 * them, a store in memory and a temporary folder.
 */
import { readdir } from "node:fs/promises"
import { NodeServices } from "@effect/platform-node"
import {
  ArtifactError,
  ArtifactStorageFailed,
  ArtifactStore,
  Datatype,
  ForgeConfig,
  Idempotency,
  Inference,
  type LoadedModel,
  LoginLockout,
  layerAccess,
  layerAccessStoreMemory,
  layerArtifactStoreLocal,
  layerIdempotencyStoreMemory,
  layerRegistryStoreMemory,
  layerUploadStoreLocal,
  type ModelGraph,
  ModelRuntime,
  type ModelScan,
  ModelScanner,
  type ModelSummary,
  PasswordCost,
  type Placement,
  RateLimits,
  Registry,
  RegistryError,
  RegistryStore,
  type RuntimeError,
  SecretKey,
  type Settings,
  type Signature,
  StoreUnavailable,
  UnusableModel,
  UploadSessions,
} from "@modelforge/core"
import { Effect, FileSystem, Layer, Logger, Redacted, Stream } from "effect"
import { DataPlane } from "../src/dataplane/DataPlane.ts"
import { ServerReadiness } from "../src/ServerReadiness.ts"
import { dashboardPublicKey } from "./guard/dashboard.ts"

/** What nobody but the operator may see. */
export const secret = "postgres://user:hunter2@/var/lib/secret"

/** The model of the file `onnx <name> …`. Output `<name>_out` is a copy of input `<name>`. */
export const signatures: Readonly<Record<string, Signature>> = {
  floats: {
    inputs: [{ name: "x", datatype: "FP32", shape: ["batch", 2] }],
    outputs: [{ name: "x_out", datatype: "FP32", shape: ["batch", 2] }],
  },
  long: {
    inputs: [
      { name: "x", datatype: "INT64", shape: [-1] },
      { name: "u", datatype: "UINT64", shape: [-1] },
    ],
    outputs: [
      { name: "x_out", datatype: "INT64", shape: [-1] },
      { name: "u_out", datatype: "UINT64", shape: [-1] },
    ],
  },
  text: {
    inputs: [
      { name: "x", datatype: "BYTES", shape: [-1] },
      { name: "flag", datatype: "BOOL", shape: [] },
    ],
    outputs: [
      { name: "x_out", datatype: "BYTES", shape: [-1] },
      { name: "flag_out", datatype: "BOOL", shape: [] },
    ],
  },
  word: {
    inputs: [{ name: "x", datatype: "BYTES", shape: [-1] }],
    outputs: [{ name: "x_out", datatype: "BYTES", shape: [-1] }],
  },
  large: {
    inputs: [{ name: "x", datatype: "FP32", shape: [65, 64] }],
    outputs: [{ name: "x_out", datatype: "FP32", shape: [65, 64] }],
  },
  /** Each datatype, named after it. */
  every: {
    inputs: Datatype.literals.map((datatype) => ({ name: datatype, datatype, shape: [-1] })),
    outputs: Datatype.literals.map((datatype) => ({ name: `${datatype}_out`, datatype, shape: [-1] })),
  },
}

export const graph: ModelGraph = {
  views: [],
  complete: false,
  notes: ["The model is too large to be drawn."],
}

export const summary: ModelSummary = {
  irVersion: 10,
  opsets: { "ai.onnx": 21 },
  producer: "a test",
  parameters: 1,
  nodes: 1,
  operators: { Identity: 1 },
  metadata: { author: "nobody" },
  docString: "says nothing",
}

/** Takes files that begin with `onnx <name>`; refuses `external` as soon as it comes. */
const layerScanner = Layer.succeed(ModelScanner, {
  start: Effect.sync((): ModelScan => {
    let head = ""
    const refuse = (code: string, detail: string) => Effect.fail(new UnusableModel({ code, detail }))
    return {
      push: (chunk) => {
        if (head.length < 100) head += new TextDecoder().decode(chunk.subarray(0, 100))
        return head.includes("external")
          ? refuse("external-data", "The weights are in other files")
          : Effect.void
      },
      finish: Effect.suspend(() => {
        const [, name = ""] = /^onnx (\w+)/.exec(head) ?? []
        const signature = signatures[name]
        return signature === undefined
          ? refuse("not-onnx", "The file is not an ONNX model")
          : Effect.succeed({ signature, summary, graph })
      }),
    }
  }),
})

/** Of the first member only, so that probing finds that nothing can be joined. */
const copyInputs: LoadedModel["run"] = async ([inputs = {}], names) => ({
  outputs: Object.fromEntries(
    names.flatMap((name) => {
      const tensor = inputs[name.replace(/_out$/, "")]
      return tensor === undefined ? [] : [[name, tensor]]
    }),
  ),
  queueMs: 0.5,
  computeMs: 2,
})

const storageFailed = new ArtifactError({
  reason: new ArtifactStorageFailed({ operation: "read", cause: new Error(secret) }),
})

/** How the store answers. */
type StoreMood = "up" | "down" | "broken"

export class TestForge {
  /** What a run does; copies inputs to outputs unless a test says otherwise. */
  run: LoadedModel["run"] = copyInputs
  load: Effect.Effect<void, RuntimeError> = Effect.void
  /** How each model was loaded. */
  readonly placements: Array<Placement> = []
  trial: Effect.Effect<void, RuntimeError> = Effect.void
  store: StoreMood = "up"
  /** `forgotten`: as in a store that an older release filled. */
  graphs: "kept" | "forgotten" = "kept"
  /** Bytes that were read from stored artifacts, and after how many the storage fails. */
  downloaded = 0
  downloadable = Number.POSITIVE_INFINITY
  /** What was logged. */
  readonly logs: Array<string> = []
  readonly directory: string
  readonly layer
  constructor(directory: string, settings: Partial<Settings>) {
    this.directory = directory
    const layerStores = Layer.merge(
      this.#layerMoodyStore.pipe(Layer.provideMerge([layerRegistryStoreMemory, layerAccessStoreMemory])),
      this.#layerCountedArtifacts.pipe(Layer.provide(layerArtifactStoreLocal(directory))),
    )
    this.layer = Layer.fresh(
      Layer.merge(DataPlane.layer, ServerReadiness.layer).pipe(
        Layer.provideMerge(Inference.layer),
        Layer.merge(UploadSessions.layer),
        Layer.merge(SecretKey.layer(Redacted.make("a secret of tests, long enough to be one"))),
        Layer.merge(Idempotency.layer.pipe(Layer.provide(layerIdempotencyStoreMemory))),
        Layer.provideMerge(Registry.layer),
        Layer.merge(LoginLockout.layer),
        Layer.merge(RateLimits.layer),
        Layer.provideMerge(layerAccess({ dashboardPublicKey })),
        Layer.provide([
          layerStores,
          layerUploadStoreLocal(`${directory}/uploads`),
          layerScanner,
          this.#layerRuntime,
        ]),
        Layer.provide(Layer.succeed(PasswordCost, { logN: 4, r: 8, p: 1 })),
        Layer.provideMerge(ForgeConfig.layer(settings)),
        Layer.provide(NodeServices.layer),
        Layer.provideMerge(this.#layerLogs),
      ),
    )
  }

  /** Names of files that are being received, and digests of those stored. */
  async files(): Promise<{
    readonly staging: ReadonlyArray<string>
    readonly stored: ReadonlyArray<string>
  }> {
    const stored = await readdir(`${this.directory}/sha256`, { recursive: true })
    return {
      staging: await readdir(`${this.directory}/staging`),
      stored: stored.map((file) => file.slice(-64)).filter((name) => name.length === 64),
    }
  }

  readonly #layerCountedArtifacts = Layer.effect(
    ArtifactStore,
    ArtifactStore.useSync((store) => ({
      ...store,
      read: (digest) =>
        Stream.tap(store.read(digest), (chunk) => {
          this.downloaded += chunk.length
          return this.downloaded > this.downloadable ? Effect.fail(storageFailed) : Effect.void
        }),
    })),
  )

  readonly #layerLogs = Logger.layer([
    Logger.make(({ message, cause }) => {
      this.logs.push(`${[message].flat().map(String).join(" ")} ${String(cause)}`)
    }),
  ])

  readonly #layerRuntime = Layer.succeed(ModelRuntime, {
    estimateBytes: (size) => size,
    load: (_file, placement) =>
      Effect.suspend(() => {
        this.placements.push(placement ?? {})
        return Effect.as(this.load, {
          instances: 1,
          concurrency: 2,
          failure: undefined,
          run: (...args: Parameters<LoadedModel["run"]>) => this.run(...args),
          memoryBytes: () => Promise.resolve(0),
        } satisfies LoadedModel)
      }),
    trial: () => Effect.suspend(() => this.trial),
  })

  readonly #inMood = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.suspend((): Effect.Effect<A, E | RegistryError, R> => {
      if (this.store === "up") return effect
      const cause = new Error(secret)
      return this.store === "broken"
        ? Effect.die(cause)
        : Effect.fail(new RegistryError({ reason: new StoreUnavailable({ operation: "ask", cause }) }))
    })

  readonly #layerMoodyStore = Layer.effect(
    RegistryStore,
    RegistryStore.useSync((store) =>
      RegistryStore.of({
        insertModel: (draft) => this.#inMood(store.insertModel(draft)),
        findModel: (name) => this.#inMood(store.findModel(name)),
        listModels: (filter, window) => this.#inMood(store.listModels(filter, window)),
        updateModel: (name, change, expected) => this.#inMood(store.updateModel(name, change, expected)),
        setConfig: (name, config, expected) => this.#inMood(store.setConfig(name, config, expected)),
        deleteModel: (name, expected) => this.#inMood(store.deleteModel(name, expected)),
        insertVersion: (draft) => this.#inMood(store.insertVersion(draft)),
        findVersion: (model, version) => this.#inMood(store.findVersion(model, version)),
        findDigest: (model, digest) => this.#inMood(store.findDigest(model, digest)),
        findGraph: (model, version) =>
          this.#inMood(this.graphs === "kept" ? store.findGraph(model, version) : Effect.succeedNone),
        findReferred: (digests, since) => this.#inMood(store.findReferred(digests, since)),
        forgetReferred: (before) => this.#inMood(store.forgetReferred(before)),
        listVersions: (model, window) => this.#inMood(store.listVersions(model, window)),
        listValidating: this.#inMood(store.listValidating),
        settleVersion: (model, version, verdict) =>
          this.#inMood(store.settleVersion(model, version, verdict)),
        describeVersion: (...args) => this.#inMood(store.describeVersion(...args)),
        deleteVersion: (...args) => this.#inMood(store.deleteVersion(...args)),
        setArchived: (model, version, archived) => this.#inMood(store.setArchived(model, version, archived)),
        setAlias: (model, alias, version, options) =>
          this.#inMood(store.setAlias(model, alias, version, options)),
        listMoves: (model, alias, window) => this.#inMood(store.listMoves(model, alias, window)),
        deleteAlias: (...args) => this.#inMood(store.deleteAlias(...args)),
        setTraffic: (model, policy, options) => this.#inMood(store.setTraffic(model, policy, options)),
        listTrafficChanges: (model, window) => this.#inMood(store.listTrafficChanges(model, window)),
        listRoutes: this.#inMood(store.listRoutes),
        findRoutes: (model) => this.#inMood(store.findRoutes(model)),
      }),
    ),
  )
}

/** A forge of its own for one test, on a folder that goes with the scope. */
export const makeForge = (settings: Partial<Settings> = {}) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    return new TestForge(yield* fs.makeTempDirectoryScoped({ prefix: "modelforge-test-" }), settings)
  }).pipe(Effect.provide(NodeServices.layer), Effect.orDie)
