/**
 * Predictions over HTTP, from the bytes of a request to the chunks of an answer. Plain code on purpose: measured
 * against a bare Node server, Effect's HttpApi reaches half its rate on small models and its router 0.59. Hosts
 * mount this ahead of everything else.
 */
import {
  BadRequestProblem,
  InternalProblem,
  MethodNotAllowedProblem,
  TooLargeProblem,
  UnsupportedMediaTypeProblem,
} from "@modelforge/api"
import {
  Admission,
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
import { parseBody } from "./body.ts"
import { readInfer, writeInfer } from "./infer.ts"
import { readPredict, writePredict } from "./predict.ts"
import type { DataRoute } from "./routes.ts"

/** Header names in lower case. */
export type RequestHeaders = Readonly<Record<string, string | ReadonlyArray<string> | undefined>>

export interface DataPlaneRequest {
  readonly route: DataRoute
  readonly headers: RequestHeaders
  readonly body: Uint8Array
  /** Aborted when the caller goes away. */
  readonly signal: AbortSignal
}

export interface DataPlaneResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
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
   * A place for the request, reserved before its body is read and to be released when all is done with it; or the
   * answer to a request that there is no place for, or no model.
   */
  readonly reserve: (route: DataRoute, headers: RequestHeaders) => Result.Result<Permit, DataPlaneResponse>
  /** Answers always: failures are answers. Rejects only with the reason of an aborted signal. */
  readonly handle: (request: DataPlaneRequest) => Promise<DataPlaneResponse>
  /** The answer to a body that turned out larger than `maxRequestBytes` while it was read. */
  readonly tooLarge: (route: DataRoute, headers: RequestHeaders) => DataPlaneResponse
}

const first = (value: string | ReadonlyArray<string> | undefined): string | undefined =>
  typeof value === "string" ? value : value?.[0]

/** An id that can stand in a header and a log line: what the client sent, when it is one, else a new one. */
const requestId = (headers: RequestHeaders): string => {
  const sent = first(headers["x-request-id"])
  return sent !== undefined && /^[\x21-\x7e]{1,128}$/.test(sent) ? sent : crypto.randomUUID()
}

/** Statuses and bodies differ: V2 has one error body, and knows malformed requests as 400 only. */
const render = (
  kind: DataRoute["kind"],
  problem: Problem,
  id: string,
  retryAfterSeconds = 1,
): DataPlaneResponse => {
  const retry = problem.status === 503 ? { "retry-after": String(retryAfterSeconds) } : undefined
  const headers = { "x-request-id": id, ...retry }
  return kind === "predict"
    ? {
        status: problem.status,
        headers: { "content-type": "application/problem+json", ...headers },
        body: JSON.stringify(problem),
      }
    : {
        status: problem.status === 422 ? 400 : problem.status,
        headers: { "content-type": "application/json", ...headers },
        body: JSON.stringify({ error: problem.message }),
      }
}

const isJson = (contentType: string) => /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(contentType)

const unsupportedType = (kind: DataRoute["kind"], headers: RequestHeaders): string | undefined => {
  const encoding = first(headers["content-encoding"])
  if (encoding !== undefined && encoding.toLowerCase() !== "identity")
    return `The content encoding "${encoding.slice(0, 40)}" is not supported: send the body as it is`
  const type = first(headers["content-type"])
  // V2 clients send any type or none. For people a wrong type is most often a forgotten header, and refusing the
  // types that forms can send keeps other sites' pages out.
  if (kind === "predict" && type !== undefined && !isJson(type))
    return `The content type "${type.slice(0, 80)}" is not supported: send "content-type: application/json"`
  return undefined
}

/** What a body without a `Content-Length` is taken for until it was read, in bytes. */
const unknownBodyBytes = 1024 * 1024

const binaryHeader = "inference-header-content-length"

const round = (ms: number) => Math.round(ms * 1000) / 1000

export class DataPlane extends Context.Service<DataPlane, DataPlaneHandler>()("@modelforge/http/DataPlane") {
  static readonly make = Effect.gen(function* () {
    const inference = yield* Inference
    const admission = yield* Admission
    const { maxRequestBytes } = yield* ForgeConfig
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
      write: (timings: Parameters<typeof writePredict>[2]) => string,
    ): DataPlaneResponse => {
      const timings = {
        queueMs: round(prediction.queueMs),
        computeMs: round(prediction.computeMs),
        totalMs: round(performance.now() - since),
      }
      return {
        status: 200,
        headers: {
          "content-type": "application/json",
          "modelforge-model-version": String(prediction.version),
          "modelforge-cache": prediction.cache,
          "server-timing": `queue;dur=${timings.queueMs}, compute;dur=${timings.computeMs}, total;dur=${timings.totalMs}`,
          "x-request-id": id,
        },
        body: write(timings),
      }
    }

    const orThrow = <A>(result: Result.Result<A, InferenceError>): A =>
      Result.getOrThrowWith(result, (error) => error)

    const route = (model: string, version: string | undefined): Route =>
      orThrow(inference.route(model, version))

    const predict = async (request: DataPlaneRequest, id: string): Promise<DataPlaneResponse> => {
      const since = performance.now()
      const body = parseBody(request.body)
      const members = readPredict(body.value)
      const to = route(request.route.model, members.version)
      const exact = body.exactFor(to.signature)
      const { inputs, outputs, schedule } = exact === body.value ? members : readPredict(exact)
      const prediction = await inference.run(to, orThrow(nestedInputs(to, inputs)), outputs, {
        ...schedule,
        signal: request.signal,
      })
      return answer(prediction, since, id, (timings) => writePredict(to, prediction, timings, id))
    }

    const infer = async (request: DataPlaneRequest, id: string): Promise<DataPlaneResponse> => {
      const since = performance.now()
      const to = route(request.route.model, request.route.version)
      const members = readInfer(parseBody(request.body, true).exactFor(to.signature))
      const prediction = await inference.run(to, members.inputs, members.outputs, {
        ...members.schedule,
        signal: request.signal,
      })
      return answer(prediction, since, id, () => writeInfer(to, prediction, members.id))
    }

    const tooLargeProblem = new TooLargeProblem({
      limit: maxRequestBytes,
      detail: `The body is larger than the ${maxRequestBytes} bytes this server takes`,
    })

    const headProblem = (
      method: string,
      kind: DataRoute["kind"],
      headers: RequestHeaders,
    ): Problem | undefined => {
      if (method !== "POST")
        return new MethodNotAllowedProblem({ detail: `${method} is not supported here: use POST` })
      if (Number(first(headers["content-length"])) > maxRequestBytes) return tooLargeProblem
      const unsupported = unsupportedType(kind, headers)
      if (unsupported !== undefined) return new UnsupportedMediaTypeProblem({ detail: unsupported })
      if (kind === "infer" && headers[binaryHeader] !== undefined)
        return new BadRequestProblem({
          detail: "This server takes tensors as JSON only: send no Inference-Header-Content-Length",
        })
      return undefined
    }

    return DataPlane.of({
      maxRequestBytes,
      refuseHead: (method, { kind }, headers) => {
        const problem = headProblem(method, kind, headers)
        if (problem === undefined) return undefined
        const refusal = render(kind, problem, requestId(headers))
        return problem.status === 405
          ? { ...refusal, headers: { ...refusal.headers, allow: "POST" } }
          : refusal
      },
      reserve: ({ kind, model }, headers) => {
        const known = inference.route(model)
        const refusal =
          Result.isFailure(known) && known.failure.reason._tag === "ModelNotFound"
            ? Result.fail(known.failure)
            : admission.reserve(
                model,
                Number(first(headers["content-length"]) ?? unknownBodyBytes),
                Result.isSuccess(known) ? known.success.config.queue : undefined,
              )
        return Result.mapError(refusal, ({ reason }) =>
          render(
            kind,
            inferenceProblem(reason),
            requestId(headers),
            reason._tag === "Overloaded" ? reason.retryAfterSeconds : undefined,
          ),
        )
      },
      tooLarge: ({ kind }, headers) => render(kind, tooLargeProblem, requestId(headers)),
      handle: async (request) => {
        const id = requestId(request.headers)
        try {
          return await (request.route.kind === "predict" ? predict(request, id) : infer(request, id))
        } catch (error) {
          if (request.signal.aborted) throw request.signal.reason
          return render(request.route.kind, toProblem(error), id)
        }
      },
    })
  })

  static readonly layer = Layer.effect(this, this.make).pipe(Layer.provide(Admission.layer))
}
