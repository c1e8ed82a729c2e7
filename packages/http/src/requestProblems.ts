/** What goes wrong around the handlers: requests that do not decode, paths that do not exist, failures nobody expected. */
import {
  BadRequestProblem,
  ForgeApi,
  InferenceProtocolRefusals,
  InternalProblem,
  InvalidRequestProblem,
  MethodNotAllowedProblem,
  NotFoundProblem,
  RequestProblems,
  TooLargeProblem,
  UnsupportedMediaTypeProblem,
} from "@modelforge/api"
import type { InputIssue } from "@modelforge/core"
import { ByteSize, Cause, Effect, Layer, SchemaAST, SchemaIssue } from "effect"
import {
  HttpEffect,
  HttpIncomingMessage,
  HttpRouter,
  HttpServerError,
  HttpServerRequest,
  HttpServerResponse,
} from "effect/http"
import { HttpApi, HttpApiError } from "effect/http-api"
import { isProblem, type Problem } from "./problems.ts"

/** Largest body of a management request, in bytes; uploads and predictions have limits of their own. */
const maxManagementBytes = 1024 * 1024

/** More help nobody, and a hostile body could earn thousands. */
const maxIssues = 20

/** A member that is not known is most often one that is misspelt. */
const leafMessage: SchemaIssue.LeafHook = (issue) => {
  if (issue._tag !== "UnexpectedKey" || !SchemaAST.isObjects(issue.ast))
    return SchemaIssue.defaultLeafHook(issue)
  const known = issue.ast.propertySignatures.map(({ name }) => `"${String(name)}"`)
  return known.length === 0
    ? "there is no such member: there are none here"
    : `there is no such member: known are ${known.join(", ")}`
}

const formatIssues = SchemaIssue.makeFormatterStandardSchemaV1({ leafHook: leafMessage })

const segment = (part: PropertyKey | { readonly key: PropertyKey }): string =>
  String(typeof part === "object" ? part.key : part).slice(0, 80)

const issuesOf = (error: HttpApiError.HttpApiSchemaError): ReadonlyArray<InputIssue> =>
  formatIssues(error.cause.issue)
    .issues.slice(0, maxIssues)
    .map(({ path = [], message }) => ({
      path: [...(error.kind === "Payload" ? [] : [error.kind.toLowerCase()]), ...path.map(segment)].join("."),
      message,
    }))

const toProblem = (error: HttpApiError.HttpApiSchemaError) => {
  const errors = issuesOf(error)
  const detail = errors.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`)).join("; ")
  // A body that is no JSON at all has a single issue, at its root.
  const unreadable = error.kind !== "Payload" || /valid JSON/.test(detail)
  return unreadable
    ? new BadRequestProblem({ detail, errors })
    : new InvalidRequestProblem({ detail, errors })
}

/** A body that could not be read is a defect to the API builder; to the client it is an answer. */
const bodyProblem = (defect: unknown) => {
  if (!(defect instanceof HttpServerError.HttpServerError) || defect.reason._tag !== "RequestParseError")
    return undefined
  return defect.reason.reason === "BodyTooLarge"
    ? new TooLargeProblem({
        limit: maxManagementBytes,
        detail: `The body is larger than the ${maxManagementBytes} bytes taken here`,
      })
    : new BadRequestProblem({ detail: "The body could not be read" })
}

const respond = (problem: Problem, headers?: Record<string, string>) =>
  HttpServerResponse.text(JSON.stringify(problem), {
    status: problem.status,
    contentType: "application/problem+json",
    ...(headers === undefined ? {} : { headers }),
  })

/** What says no time of its own may be tried again soon. */
const withRetryAfter = HttpEffect.withPreResponseHandler((_, response) =>
  Effect.succeed(
    response.status === 503 && response.headers["retry-after"] === undefined
      ? HttpServerResponse.setHeader(response, "retry-after", "1")
      : response,
  ),
)

export const layerRequestProblems = Layer.succeed(RequestProblems, (httpEffect) =>
  Effect.catch(httpEffect, (error) =>
    HttpApiError.HttpApiSchemaError.is(error)
      ? error.kind === "Body" || error.kind === "ResponseHeaders"
        ? Effect.die(error)
        : Effect.succeed(respond(toProblem(error)))
      : Effect.fail(error),
  ).pipe(
    withRetryAfter,
    Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(maxManagementBytes)),
  ),
)

/** The guard answers before any handler; what it answers is declared only. */
export const layerInferenceProtocolRefusals = Layer.succeed(
  InferenceProtocolRefusals,
  (httpEffect) => httpEffect,
)

/** Where the contract itself can be read. */
export const openapiPath = "/openapi.json"
export const docsPath = "/docs"

/** Methods by path, for telling an unknown path from a wrong method. */
const endpoints = (() => {
  const paths: Array<{ readonly pattern: RegExp; readonly methods: ReadonlyArray<string> }> = []
  const add = (path: string, method: string) => {
    const pattern = path
      .replace(/\/$/, "")
      .replaceAll(".", "\\.")
      .replaceAll(/:[^/]+/g, "[^/]+")
    // The router answers HEAD wherever it answers GET.
    paths.push({
      pattern: new RegExp(`^${pattern}/?$`),
      methods: method === "GET" ? ["GET", "HEAD"] : [method],
    })
  }
  HttpApi.reflect(ForgeApi, {
    onGroup: () => {},
    onEndpoint: ({ endpoint }) => add(endpoint.path, endpoint.method),
  })
  for (const path of [openapiPath, docsPath]) add(path, "GET")
  return paths
})()

const pathOf = (url: string) => url.split(/[?#]/, 1)[0] ?? ""

const unrouted = (request: HttpServerRequest.HttpServerRequest) => {
  const path = pathOf(request.url)
  const allowed = [
    ...new Set(endpoints.filter(({ pattern }) => pattern.test(path)).flatMap(({ methods }) => methods)),
  ]
  // A path that matches here and not in the router has a segment that the router can't take: undecodable, too long.
  const missing = allowed.length === 0 || allowed.includes(request.method)
  const allow = allowed.join(", ")
  const problem: Problem = missing
    ? new NotFoundProblem({ detail: "There is nothing at this path. The API is described at /docs" })
    : new MethodNotAllowedProblem({ detail: `${request.method} is not supported here: use ${allow}` })
  return inTheStyleOf(path, problem, missing ? undefined : { allow })
}

/** V2 has its own body for failures. */
const inTheStyleOf = (path: string, problem: Problem, headers?: Record<string, string>) =>
  path === "/v2" || path.startsWith("/v2/")
    ? HttpServerResponse.jsonUnsafe(
        { error: problem.message },
        { status: problem.status, ...(headers === undefined ? {} : { headers }) },
      )
    : respond(problem, headers)

/** Answers what no route or handler answered. Global, so that no path escapes it. */
export const layerFallback = HttpRouter.use((router) =>
  router.addGlobalMiddleware((httpEffect) =>
    Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
      httpEffect.pipe(
        // The API builder's own refusals are plain text.
        Effect.map((response) =>
          response.status === 415 && !String(response.headers["content-type"]).includes("json")
            ? inTheStyleOf(
                pathOf(request.url),
                new UnsupportedMediaTypeProblem({
                  detail: 'The content type is not supported: send "content-type: application/json"',
                }),
              )
            : response,
        ),
        Effect.catchCause((cause) => {
          if (Cause.hasInterruptsOnly(cause)) return Effect.failCause(cause)
          const error = Cause.squash(cause)
          if (error instanceof HttpServerError.HttpServerError && error.reason._tag === "RouteNotFound")
            return Effect.succeed(unrouted(request))
          const problem = isProblem(error) ? error : bodyProblem(error)
          if (problem !== undefined) return Effect.succeed(inTheStyleOf(pathOf(request.url), problem))
          return Effect.as(
            Effect.logError("A request failed unexpectedly", cause),
            inTheStyleOf(pathOf(request.url), new InternalProblem()),
          )
        }),
      ),
    ),
  ),
)
