/** The data plane on an inference engine that does what a test tells it. */
import {
  type CallerSignal,
  checkInputs,
  Digest,
  ForgeConfig,
  Inference,
  InferenceError,
  InvalidInputs,
  type ModelConfig,
  ModelName,
  type Permit,
  type Prediction,
  type Route,
  type Settings,
  type Signature,
  VersionNumber,
} from "@modelforge/core"
import { Effect, Layer, Logger, Result } from "effect"
import { DataPlane, type DataPlaneHandler } from "../../src/dataplane/DataPlane.ts"
import type { RequestBody } from "../../src/dataplane/request/requestBody.ts"
import type { DataPlaneResponse } from "../../src/dataplane/response/response.ts"
import type { DataRoute } from "../../src/dataplane/routes.ts"

const signature: Signature = {
  inputs: [{ name: "x", datatype: "FP32", shape: ["batch", 2] }],
  outputs: [{ name: "y", datatype: "FP32", shape: ["batch", 2] }],
}

/** The version that answers. */
export const routeTo = (signature: Signature): Route => ({
  id: "digits/3",
  size: 1,
  config: {},
  model: ModelName.make("digits"),
  version: VersionNumber.make(3),
  digest: Digest.make("0".repeat(64)),
  signature,
  outputNames: signature.outputs.map(({ name }) => name),
})

export type Reason = InferenceError["reason"]

export class FakeInference {
  signature: Signature = signature
  config: ModelConfig = {}
  /** The header that callers are told by. */
  stickyHeader: string | undefined
  /** Whether the version that was chosen takes requests when the body has come. */
  isServed = true
  /** Why there is no route. */
  noRoute: Reason | undefined
  /** What a run gives; by default its inputs, named as the outputs. */
  run: Inference["Service"]["run"] = async (route, inputs) => ({
    version: route.version,
    outputs: Object.fromEntries(
      Object.values(inputs).map((tensor, index) => [route.signature.outputs[index]?.name ?? "", tensor]),
    ),
    cache: "bypass",
    queueMs: 0.25,
    computeMs: 1.5,
  })
  /** What was asked for: `model` or `model/version`, and `#key` of a caller with one. */
  readonly routed: Array<string> = []
  readonly signals: Array<CallerSignal | undefined> = []
  readonly schedules: Array<{ timeoutMs: number | undefined; priority: number | undefined }> = []
  readonly logs: Array<string> = []

  readonly #layerInference = Layer.succeed(Inference, {
    route: (model, version, stickyKey) => {
      const key = stickyKey === undefined ? "" : `#${stickyKey}`
      this.routed.push(`${version === undefined ? model : `${model}/${version}`}${key}`)
      return this.noRoute === undefined
        ? Result.succeed({ ...routeTo(this.signature), config: this.config })
        : Result.fail(new InferenceError({ reason: this.noRoute }))
    },
    stickyHeader: () => this.stickyHeader,
    renew: (route) => (this.isServed ? route : undefined),
    run: async (route, inputs, outputs, options): Promise<Prediction> => {
      this.signals.push(options?.signal)
      this.schedules.push({ timeoutMs: options?.timeoutMs, priority: options?.priority })
      const [issue, ...more] = checkInputs(route.signature, inputs, outputs)
      if (issue !== undefined)
        throw new InferenceError({
          reason: new InvalidInputs({ model: route.model, issues: [issue, ...more] }),
        })
      return this.run(route, inputs, outputs, options)
    },
    predict: () => Effect.die(new Error("not on the way of a prediction over HTTP")),
  })

  readonly #layerLogs = Logger.layer([
    Logger.make(({ message }) => {
      this.logs.push([message].flat().map(String).join(" "))
    }),
  ])

  dataPlane(settings: Partial<Settings> = {}) {
    return Effect.map(
      Layer.build(
        DataPlane.layer.pipe(
          Layer.provide([this.#layerInference, ForgeConfig.layer(settings), this.#layerLogs]),
          Layer.fresh,
        ),
      ),
      (context) => DataPlane.pipe(Effect.provide(context), Effect.runSync),
    )
  }
}

export const predictRoute: DataRoute = { kind: "predict", model: "digits", version: undefined }
export const inferRoute: DataRoute = { kind: "infer", model: "digits", version: undefined }

export interface Ask {
  readonly route?: DataRoute
  readonly headers?: Readonly<Record<string, string | ReadonlyArray<string>>>
  readonly signal?: CallerSignal
}

/** An answer that is text, as most are. */
export interface TextAnswer extends DataPlaneResponse {
  readonly body: string
}

/** A place that has room for anything. */
const permit: Permit = { grow: () => Result.void, release: () => {} }

const isPieces = (body: unknown): body is ReadonlyArray<Uint8Array> =>
  Array.isArray(body) && body.length > 0 && body.every((piece) => piece instanceof Uint8Array)

const bytesOf = (body: unknown): RequestBody =>
  body instanceof Uint8Array || isPieces(body)
    ? body
    : new TextEncoder().encode(typeof body === "string" ? body : JSON.stringify(body))

/** Hands a request to the data plane; a body that is no text or bytes is sent as JSON. */
export const askBytes = (
  dataPlane: DataPlaneHandler,
  body: unknown,
  { route = predictRoute, headers = {}, signal = new AbortController().signal }: Ask = {},
): Promise<DataPlaneResponse> => {
  const place = dataPlane.reserve(route, headers)
  if (Result.isFailure(place)) return Promise.resolve(place.failure)
  place.success.permit.release()
  const { chosen } = place.success
  return dataPlane.handle({ route, headers, body: bytesOf(body), place: { permit, chosen }, signal })
}

/** The answer as text; one that is bytes is a failure of the test. */
export const asText = ({ body, ...rest }: DataPlaneResponse): TextAnswer => {
  if (typeof body !== "string") throw new Error("the answer is bytes")
  return { ...rest, body }
}

export const ask = async (...args: Parameters<typeof askBytes>): Promise<TextAnswer> =>
  asText(await askBytes(...args))
