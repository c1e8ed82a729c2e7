/** ModelForge as a library: promises and plain objects, for those who do not know Effect. */
import { createReadStream } from "node:fs"
import { Readable } from "node:stream"
import {
  AliasName,
  Inference,
  LoadedModels,
  type Model,
  ModelConfig,
  ModelName,
  type NestedValue,
  nestedInputs,
  Registry,
  type Route,
  RoutingTable,
  type Serving,
  type Settings,
  type Tensor,
  type Tensors,
  toNested,
  UploadInterrupted,
  Uploads,
  type Version,
} from "@modelforge/core"
import { Cause, Effect, Exit, ManagedRuntime, Option, Redacted, Result, Schema, Stream } from "effect"
import { type Keys, makeKeys, makeUsers, type Users } from "./access/libraryAccess.ts"
import { type Engine, type EngineError, layerEngine } from "./Engine.ts"
import { ModelForgeError, toModelForgeError } from "./ModelForgeError.ts"

export interface OpenOptions {
  /** Folder of the data, made when there is none. Default: `.modelforge`. */
  readonly dataDirectory?: string
  /** URL of a PostgreSQL of yours. Default: an embedded one in the data folder. */
  readonly databaseUrl?: string
  /** Where model files are kept: `file:/a/folder` or `s3://bucket/prefix`. Default: in the data folder. */
  readonly artifacts?: string
  /** Bytes that the data folder may hold of files that are kept in S3. Default: 10 GiB. */
  readonly artifactCacheBytes?: number
  /** Where models run; see the guide. Default: `process`. */
  readonly execution?: "process" | "inline"
  readonly settings?: Partial<Settings>
}

export interface PushOptions {
  /** Points here once the version is ready. */
  readonly alias?: string
  /**
   * Moves the alias even if its callers may fail with the file's signature, which is refused with the code
   * `incompatible-signature` otherwise. Default: false.
   */
  readonly force?: boolean
  readonly description?: string
}

export interface PredictOptions {
  /** A number or an alias. Default: one of the traffic split if there is one, else `production`, else the highest ready version. */
  readonly version?: number | string
  /** Without `version`, where requests are split: the same key goes to the same version. Default: any, by weight. */
  readonly stickyKey?: string
  /** Names of the outputs wanted. Default: all. */
  readonly outputs?: ReadonlyArray<string>
  /** Drops the request when it is aborted. */
  readonly signal?: AbortSignal
  /** Milliseconds after which the request is dropped, with the code `deadline-exceeded`. Default: 30 seconds. */
  readonly timeoutMs?: number
}

/** A bare value, nested arrays along the shape, or a tensor as it is. */
export type InputValue = NestedValue | Uint8Array | Tensor

export interface PredictResult<Outputs> {
  readonly model: string
  readonly version: number
  readonly outputs: Outputs
  readonly timings: { readonly queueMs: number; readonly computeMs: number }
}

/** A file's path, its bytes, or a stream of them. */
export type ModelSource = string | URL | Uint8Array | AsyncIterable<Uint8Array>

type Runtime = ManagedRuntime.ManagedRuntime<Engine, EngineError>

const iterable = (source: ModelSource): AsyncIterable<Uint8Array> => {
  if (source instanceof Uint8Array) return Readable.from([source])
  return typeof source === "string" || source instanceof URL ? createReadStream(source) : source
}

/** Opened when it is read: a file that can't be opened before anybody listens would end the process. */
const bytesOf = (source: ModelSource): Stream.Stream<Uint8Array, UploadInterrupted> =>
  Stream.suspend(() =>
    Stream.fromAsyncIterable(
      iterable(source),
      (error) => new UploadInterrupted({ detail: sourceTrouble(error) }),
    ),
  )

const named = <Name>(value: Option.Option<Name>, code: string, message: string): Name => {
  if (Option.isNone(value)) throw new ModelForgeError(code, message)
  return value.value
}

const modelName = (name: string) =>
  named(
    ModelName.makeOption(name),
    "invalid-name",
    `"${name}" can't be a model's name: use 1 to 63 of a-z, 0-9, '.', '_' and '-', beginning with a letter or digit`,
  )

const aliasName = (name: string) =>
  named(
    AliasName.makeOption(name),
    "invalid-name",
    `"${name}" can't be an alias: use 1 to 63 of a-z, 0-9, '_' and '-', beginning with a letter or digit, not only digits`,
  )

export interface Models {
  /** Uploads an ONNX file as the next version of `model`, which is made when there is none. */
  readonly push: (model: string, source: ModelSource, options?: PushOptions) => Promise<Version>
  readonly get: (model: string) => Promise<Model>
  /** All models, by name. */
  readonly list: () => Promise<ReadonlyArray<Model>>
  /** Deletes a model and all its versions. */
  readonly delete: (model: string) => Promise<void>
  /** Replaces how the model is served; what is left out is ModelForge's to choose. */
  readonly configure: (model: string, config: ModelConfig) => Promise<Model>
  /** Loads a version into memory, which its first prediction does otherwise. Default: as for predictions. */
  readonly load: (model: string, version?: number | string) => Promise<void>
  /** Unloads a version; predictions for it reject with `version-unloaded` until it is loaded again. */
  readonly unload: (model: string, version?: number | string) => Promise<void>
  /** Whether a version is in memory. */
  readonly serving: (model: string, version?: number | string) => Promise<Serving>
}

export class ModelForge implements AsyncDisposable {
  readonly models: Models
  readonly keys: Keys
  readonly users: Users
  readonly #runtime: Runtime
  readonly #inference: Inference["Service"]
  #closing: Promise<void> | undefined

  /**
   * Opens the data folder, or connects to the database. The folder belongs to one process at a time; rejects with
   * the code `data-folder-in-use` when it is another's.
   */
  static async open(options: OpenOptions = {}): Promise<ModelForge> {
    const runtime: Runtime = ManagedRuntime.make(
      layerEngine({
        dataDirectory: options.dataDirectory ?? ".modelforge",
        databaseUrl: options.databaseUrl === undefined ? undefined : Redacted.make(options.databaseUrl),
        artifacts: options.artifacts,
        artifactCacheBytes: options.artifactCacheBytes,
        execution: options.execution,
        settings: options.settings,
      }),
    )
    try {
      const inference = await run(runtime, Inference)
      return new ModelForge(runtime, inference)
    } catch (error) {
      await runtime.dispose()
      throw error
    }
  }

  private constructor(runtime: Runtime, inference: Inference["Service"]) {
    this.#runtime = runtime
    this.#inference = inference
    const use = async <A>(effect: Effect.Effect<A, unknown, Engine>): Promise<A> => {
      if (this.#closing !== undefined) throw closed()
      return run(runtime, effect)
    }
    this.keys = makeKeys(use)
    this.users = makeUsers(use)
    this.models = {
      push: (model, source, { alias, force, description } = {}) =>
        use(
          Uploads.use((uploads) =>
            uploads.receive({
              model: modelName(model),
              bytes: bytesOf(source),
              createModel: true,
              alias: alias === undefined ? undefined : aliasName(alias),
              force,
              description,
            }),
          ),
        ),
      get: (model) => use(Registry.use((registry) => registry.model(modelName(model)))),
      list: () => use(listAll),
      delete: (model) => use(Registry.use((registry) => registry.deleteModel(modelName(model)))),
      configure: (model, config) =>
        use(
          Effect.flatMap(decodeConfig(config), (decoded) =>
            Registry.use((registry) => registry.configure(modelName(model), decoded)),
          ),
        ),
      load: (model, version) => use(withRoute(model, version, (models, route) => models.load(route))),
      unload: (model, version) => use(withRoute(model, version, (models, route) => models.unload(route))),
      serving: (model, version) =>
        use(withRoute(model, version, (models, { id }) => Effect.succeed(models.serving(id)))),
    }
  }

  /**
   * Runs a model on nested arrays, whose shapes are held against the signature, and answers in nested arrays.
   * 64-bit integers are numbers as far as these are exact, else bigints.
   */
  async predict(
    model: string,
    inputs: Readonly<Record<string, InputValue>>,
    options: PredictOptions = {},
  ): Promise<PredictResult<Readonly<Record<string, NestedValue>>>> {
    const { outputs, ...rest } = await this.infer(model, inputs, options)
    const nested = Object.entries(outputs).map(([name, tensor]) => [name, toNested(tensor)] as const)
    return { ...rest, outputs: Object.fromEntries(nested) }
  }

  /** Like `predict`, and answers with tensors: typed arrays and shapes, nothing converted. */
  async infer(
    model: string,
    inputs: Readonly<Record<string, InputValue>>,
    options: PredictOptions = {},
  ): Promise<PredictResult<Tensors>> {
    const { version, stickyKey, outputs = [], signal, timeoutMs } = options
    if (this.#closing !== undefined) throw closed()
    try {
      const route = orThrow(
        this.#inference.route(model, version === undefined ? undefined : String(version), stickyKey),
      )
      const tensors = orThrow(nestedInputs(route, inputs, { tensors: true }))
      const result = await this.#inference.run(route, tensors, outputs, { signal, timeoutMs })
      return {
        model,
        version: result.version,
        outputs: result.outputs,
        timings: { queueMs: result.queueMs, computeMs: result.computeMs },
      }
    } catch (error) {
      throw toModelForgeError(error)
    }
  }

  /** Finishes what runs, unloads models and stops the embedded database. What is asked for later is refused. */
  close(): Promise<void> {
    this.#closing ??= this.#runtime.dispose()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

const closed = () => new ModelForgeError("closed", "This ModelForge was closed: open it again to use it")

const run = async <A>(runtime: Runtime, effect: Effect.Effect<A, unknown, Engine>): Promise<A> => {
  const exit = await runtime.runPromiseExit(effect)
  if (Exit.isSuccess(exit)) return exit.value
  throw Cause.hasInterruptsOnly(exit.cause) ? closed() : toModelForgeError(Cause.squash(exit.cause))
}

const orThrow = <A>(result: Result.Result<A, Error>): A => Result.getOrThrowWith(result, (error) => error)

const decodeConfig = (config: unknown) =>
  Effect.mapError(
    Schema.decodeUnknownEffect(ModelConfig)(config, { onExcessProperty: "error" }),
    ({ message }) => new ModelForgeError("invalid-config", message),
  )

const withRoute = <A, E>(
  model: string,
  version: number | string | undefined,
  work: (models: LoadedModels["Service"], route: Route) => Effect.Effect<A, E>,
) =>
  Effect.gen(function* () {
    const routing = yield* RoutingTable
    const route = yield* Effect.fromResult(
      routing.resolve(model, version === undefined ? undefined : String(version)),
    )
    return yield* work(yield* LoadedModels, route)
  })

/** Pages of the largest size, one after the other. */
const listAll = Effect.gen(function* () {
  const registry = yield* Registry
  const models: Array<Model> = []
  for (;;) {
    const page = yield* registry.models({}, { limit: 200, after: models.at(-1)?.name })
    models.push(...page)
    if (page.length < 200) return models
  }
})

const sourceTrouble = (error: unknown): string =>
  error instanceof Error && "code" in error && error.code === "ENOENT"
    ? "there is no such file"
    : error instanceof Error
      ? error.message
      : "its source failed"
