/**
 * Predictions over HTTP, from the bytes of a request to the chunks of an answer. Plain code on purpose: measured
 * against a bare Node server, Effect's HttpApi reaches half its rate on small models and its router 0.59. Hosts
 * mount this ahead of everything else.
 */
import { InternalProblem, MethodNotAllowedProblem, TooLargeProblem } from "@modelforge/api"
import {
  Admission,
  type CallerSignal,
  ForgeConfig,
  Inference,
  InferenceError,
  nestedInputs,
  type Permit,
  type Prediction,
  type Route,
} from "@modelforge/core"
import { Context, Effect, Layer, Queue, Result } from "effect"
import { inferenceProblem, isProblem, type Problem } from "../problems.ts"
import { parseBody } from "./json/body.ts"
import { largeTexts } from "./json/largeTexts.ts"
import { flatParts, nestedParts } from "./json/tensorJson.ts"
import { BodyReader } from "./large/BodyReader.ts"
import { isLarge, type PredictRequest, readLargeInfer, readLargePredict } from "./large/largeBody.ts"
import { readInferBody } from "./request/inferBody.ts"
import { readPredict, type Timings, writePredict } from "./request/predict.ts"
import { joinBody, leadOf, type RequestBody } from "./request/requestBody.ts"
import {
  codings,
  contentCoding,
  firstValue,
  inferenceHeader,
  jsonLength,
  type RequestHeaders,
  requestId,
  unsupportedBody,
} from "./request/requestHead.ts"
import { acceptedCoding } from "./response/acceptEncoding.ts"
import { compress, decompress } from "./response/compression.ts"
import { isPlainText, writeInfer } from "./response/inferResponse.ts"
import { type DataPlaneResponse, type ResponseBody, renderProblem } from "./response/response.ts"
import { retryAfter, sentAway } from "./response/sentAway.ts"
import { worded } from "./response/wording.ts"
import type { DataRoute } from "./routes.ts"

/** A place for a request, and where it goes. */
export interface Place {
  /** To be released when all is done with the request. A compressed body takes more of it. */
  readonly permit: Permit
  /** Where it was for then. Of a split, chosen once: everything that is done with the request keeps to it. */
  readonly chosen: Result.Result<Route, InferenceError>
}

export interface DataPlaneRequest {
  readonly route: DataRoute
  readonly headers: RequestHeaders
  /** Handed over: whoever asks must not use it any more. */
  readonly body: RequestBody
  /** What was reserved for the request. */
  readonly place: Place
  /** Aborted when the caller goes away. */
  readonly signal: CallerSignal
}

export interface DataPlaneHandler {
  /** Largest body taken, in bytes. */
  readonly maxRequestBytes: number
  /** What is wrong with a request can be known from its head, before its body is read; undefined to go on. */
  readonly refuseHead: (
    method: string,
    route: DataRoute,
    headers: RequestHeaders,
  ) => DataPlaneResponse | undefined
  /**
   * A place for the request, reserved before its body is read; or the answer to a request that there is no place for,
   * or no model.
   */
  readonly reserve: (route: DataRoute, headers: RequestHeaders) => Result.Result<Place, DataPlaneResponse>
  /** Answers always: failures are answers. Rejects only with the reason of an aborted signal. */
  readonly handle: (request: DataPlaneRequest) => Promise<DataPlaneResponse>
  /** The answer to a body that turned out larger than `maxRequestBytes` while it was read. */
  readonly tooLarge: (route: DataRoute, headers: RequestHeaders) => DataPlaneResponse
}

/** What a body without a `Content-Length` is taken for until it was read, in bytes. */
const unknownBodyBytes = 1024 * 1024

/** The header that says what to send instead. */
const insteadOf = (kind: DataRoute["kind"], { status }: Problem): Record<string, string> | undefined => {
  if (status === 405) return { allow: "POST" }
  return status === 415 && kind === "infer" ? { "accept-encoding": codings.join(", ") } : undefined
}

/** The first chunk is the JSON. */
const binaryHeaders = (headers: DataPlaneResponse["headers"], [json]: ReadonlyArray<Uint8Array>) => ({
  ...headers,
  "content-type": "application/octet-stream",
  [inferenceHeader]: String(json?.length),
})

const round = (ms: number) => Math.round(ms * 1000) / 1000

export class DataPlane extends Context.Service<DataPlane, DataPlaneHandler>()("@modelforge/http/DataPlane") {
  static readonly make = Effect.gen(function* () {
    const inference = yield* Inference
    const admission = yield* Admission
    const { maxRequestBytes } = yield* ForgeConfig
    const reader = yield* BodyReader
    // Plain code can't log by itself; what nobody expected is handed to this fiber.
    const defects = yield* Queue.sliding<unknown>(64)
    yield* Queue.take(defects).pipe(
      Effect.flatMap((error) => Effect.logError("A prediction failed unexpectedly", error)),
      Effect.forever,
      Effect.forkScoped,
    )

    const toProblem = (error: unknown): Problem => {
      if (error instanceof InferenceError) return inferenceProblem(error.reason)
      if (isProblem(error)) return error
      Queue.offerUnsafe(defects, error)
      return new InternalProblem()
    }

    const answer = (
      prediction: Prediction,
      since: number,
      id: string,
      write: (timings: Timings) => ResponseBody,
    ): DataPlaneResponse => {
      const timings = {
        queueMs: round(prediction.queueMs),
        computeMs: round(prediction.computeMs),
        totalMs: round(performance.now() - since),
      }
      const headers = {
        "content-type": "application/json",
        "modelforge-model-version": String(prediction.version),
        "modelforge-cache": prediction.cache,
        "server-timing": `queue;dur=${timings.queueMs}, compute;dur=${timings.computeMs}, total;dur=${timings.totalMs}`,
        "x-request-id": id,
      }
      const body = write(timings)
      return { status: 200, headers: typeof body === "string" ? headers : binaryHeaders(headers, body), body }
    }

    const orThrow = <A>(result: Result.Result<A, InferenceError>): A =>
      Result.getOrThrowWith(result, (error) => error)

    /** Where the request goes that names the version, or none. */
    const choose = (model: string, version: string | undefined, headers: RequestHeaders) => {
      // Headers are looked at only where the traffic policy names one.
      const header = version === undefined ? inference.stickyHeader(model) : undefined
      return inference.route(model, version, header === undefined ? undefined : firstValue(headers[header]))
    }

    /** Where a request with a place goes: where it was to go, unless that takes no requests any more. */
    const routeOf = (
      { place: { chosen }, route: { model, version }, headers }: DataPlaneRequest,
      named = version,
    ): Route => {
      const still =
        named === version && Result.isSuccess(chosen) ? inference.renew(chosen.success) : undefined
      return still ?? orThrow(choose(model, named, headers))
    }

    const predictSmall = (request: DataPlaneRequest): PredictRequest => {
      const parsed = parseBody(joinBody(request.body))
      const members = readPredict(parsed.value)
      const to = routeOf(request, members.version)
      const exact = parsed.exactFor(to.signature)
      const { inputs, version, outputs, schedule } = exact === parsed.value ? members : readPredict(exact)
      return { to, inputs: orThrow(nestedInputs(to, inputs)), version, outputs, schedule }
    }

    const predictLarge = (request: DataPlaneRequest): Promise<PredictRequest> => {
      const { body, signal, place } = request
      const likely = Result.getOrUndefined(place.chosen)
      return readLargePredict(reader, likely?.signature, (version) => routeOf(request, version), body, signal)
    }

    const predict = async (request: DataPlaneRequest, id: string): Promise<DataPlaneResponse> => {
      const since = performance.now()
      const { body, signal } = request
      const asked = isLarge(body) ? await predictLarge(request) : predictSmall(request)
      const { to, outputs, schedule } = asked
      const prediction = await inference.run(to, asked.inputs, outputs, { ...schedule, signal })
      const large = largeTexts(prediction.outputs, nestedParts, signal)
      const texts = large instanceof Promise ? await large : large
      return answer(prediction, since, id, (timings) => writePredict(to, prediction, timings, id, texts))
    }

    const tooLargeProblem = new TooLargeProblem({
      limit: maxRequestBytes,
      detail: `The body is larger than the ${maxRequestBytes} bytes this server takes`,
    })

    /** The body as it was before it was compressed. Its bytes are reserved as they come out, and limited. */
    const plainBody = ({ body, headers, place, signal }: DataPlaneRequest) => {
      const coding = contentCoding(headers)
      if (coding === undefined || coding === "unknown") return body
      let size = 0
      const spend = (bytes: number) => {
        size += bytes
        if (size > maxRequestBytes) throw tooLargeProblem
        orThrow(place.permit.grow(bytes))
      }
      return decompress(joinBody(body), { coding, spend, jsonLength: jsonLength(headers) ?? 0, signal })
    }

    const compressed = async (
      response: DataPlaneResponse,
      accepted: string,
      signal: CallerSignal,
    ): Promise<DataPlaneResponse> => {
      const { headers, body } = response
      const coding = acceptedCoding(accepted, body)
      return coding === undefined
        ? response
        : {
            ...response,
            headers: { ...headers, "content-encoding": coding },
            body: await compress(body, coding, signal),
          }
    }

    const infer = async (request: DataPlaneRequest, id: string): Promise<DataPlaneResponse> => {
      const since = performance.now()
      const { headers, signal } = request
      const to = routeOf(request)
      const body = headers["content-encoding"] === undefined ? request.body : await plainBody(request)
      const length = jsonLength(headers)
      const asked = isLarge(body, length)
        ? await readLargeInfer(reader, to.signature, body, length, signal)
        : readInferBody(to.signature, joinBody(body, leadOf(length ?? 0)), length)
      let prediction: Prediction
      try {
        prediction = await inference.run(to, asked.inputs, asked.outputs, { ...asked.schedule, signal })
      } catch (error) {
        throw worded(error, to, asked)
      }
      const large = largeTexts(prediction.outputs, flatParts, signal, (name) =>
        isPlainText(name, asked.forms),
      )
      const texts = large instanceof Promise ? await large : large
      const response = answer(prediction, since, id, () => writeInfer(to, prediction, asked, texts))
      const accepted = firstValue(headers["accept-encoding"])
      return accepted === undefined ? response : compressed(response, accepted, signal)
    }

    const headProblem = (
      method: string,
      kind: DataRoute["kind"],
      headers: RequestHeaders,
    ): Problem | undefined => {
      if (method !== "POST")
        return new MethodNotAllowedProblem({ detail: `${method} is not supported here: use POST` })
      if (Number(firstValue(headers["content-length"])) > maxRequestBytes) return tooLargeProblem
      return unsupportedBody(kind, headers)
    }

    return DataPlane.of({
      maxRequestBytes,
      refuseHead: (method, { kind }, headers) => {
        const problem = headProblem(method, kind, headers)
        if (problem === undefined) return undefined
        const refusal = renderProblem(kind, problem, requestId(headers))
        const instead = insteadOf(kind, problem)
        return instead === undefined ? refusal : { ...refusal, headers: { ...refusal.headers, ...instead } }
      },
      reserve: ({ kind, model, version }, headers) => {
        const chosen = choose(model, version, headers)
        const any = Result.isSuccess(chosen) ? chosen : inference.route(model)
        const permit =
          Result.isFailure(any) && any.failure.reason._tag === "ModelNotFound"
            ? Result.fail(any.failure)
            : admission.reserve(
                model,
                Number(firstValue(headers["content-length"]) ?? unknownBodyBytes),
                Result.isSuccess(any) ? any.success.config.queue : undefined,
              )
        return Result.isSuccess(permit)
          ? Result.succeed({ permit: permit.success, chosen })
          : Result.fail(sentAway(kind, permit.failure, requestId(headers)))
      },
      tooLarge: ({ kind }, headers) => renderProblem(kind, tooLargeProblem, requestId(headers)),
      handle: async (request) => {
        const id = requestId(request.headers)
        try {
          return await (request.route.kind === "predict" ? predict(request, id) : infer(request, id))
        } catch (error) {
          if (request.signal.aborted) throw request.signal.reason
          return renderProblem(request.route.kind, toProblem(error), id, retryAfter(error))
        }
      },
    })
  })

  static readonly layer = Layer.effect(this, this.make).pipe(Layer.provide(Admission.layer))
}
