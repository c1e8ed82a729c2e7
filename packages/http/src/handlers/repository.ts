/** The model repository extension of the Open Inference Protocol, on what this server has in memory. */
import { BadRequestProblem, UnsupportedFeatureProblem } from "@modelforge/api"
import {
  CurrentIdentity,
  type Identity,
  LoadedModels,
  mayUse,
  type Route,
  RoutingTable,
  type Serving,
} from "@modelforge/core"
import { ByteSize, Effect, Option, Predicate, Result } from "effect"
import { HttpIncomingMessage, type HttpServerRequest, HttpServerResponse } from "effect/http"
import { given, isRecord, readParameters, refuse } from "../dataplane/request/inferParameters.ts"
import { isProblem, type Problem } from "../problems.ts"

interface Entry {
  readonly name: string
  readonly version?: string
  readonly state: "READY" | "UNAVAILABLE" | "LOADING"
  readonly reason: string
}

const states: Readonly<Record<Serving["state"], Entry["state"]>> = {
  serving: "READY",
  loading: "LOADING",
  warming: "LOADING",
  failed: "UNAVAILABLE",
  // Its next request loads it, unless somebody unloaded it.
  unloaded: "READY",
}

/** Whether requests would be served, and why not. */
export const readinessOf = ({ state, reason }: Serving) => ({
  state: state === "unloaded" && reason !== null ? ("UNAVAILABLE" as const) : states[state],
  reason: reason ?? "",
})

const failure = (status: number, error: string) => HttpServerResponse.jsonUnsafe({ error }, { status })

/** A body that may be missing, and then has no members; none when it is not JSON of an object. */
const members = (text: string): Option.Option<Readonly<Record<string, unknown>>> => {
  if (text.trim() === "") return Option.some({})
  const body = Option.liftThrowable((source: string): unknown => JSON.parse(source))(text)
  return Option.filter(body, isRecord)
}

/** The member `name`, which is true, false, or left out; none when it is anything else. */
const flag = (body: Readonly<Record<string, unknown>>, name: string): Option.Option<boolean> => {
  const value = body[name]
  if (!given(value)) return Option.some(false)
  return Predicate.isBoolean(value) ? Option.some(value) : Option.none()
}

const readyOnly = (text: string) => Option.flatMap(members(text), (body) => flag(body, "ready"))

/** Why the parameters of a load or an unload can't be followed; undefined to go on. */
const refuseParameters = (text: string): Problem | undefined => {
  const body = members(text)
  if (Option.isNone(body))
    return new BadRequestProblem({ detail: "The body has to be empty, or a JSON object" })
  try {
    const parameters = readParameters(body.value["parameters"], "parameters") ?? {}
    if (Option.isNone(flag(parameters, "unload_dependents")))
      return refuse("parameters.unload_dependents", "expected true or false")
    const brought = Object.keys(parameters).find((name) => name === "config" || name.startsWith("file:"))
    return brought === undefined
      ? undefined
      : new UnsupportedFeatureProblem({
          detail: `parameters.${brought.slice(0, 80)}: a load brings nothing here. Upload a version, or change the model's config`,
        })
  } catch (error) {
    if (isProblem(error)) return error
    throw error
  }
}

/** Largest body, in bytes: there is nothing to say here that takes more. */
const maxBytes = 1024 * 1024

const readText = (request: HttpServerRequest.HttpServerRequest) =>
  Effect.provideService(request.text, HttpIncomingMessage.MaxBodySize, ByteSize.bytes(maxBytes))

export const makeRepository = Effect.gen(function* () {
  const routing = yield* RoutingTable
  const loaded = yield* LoadedModels

  const entry = (route: Route): Entry => ({
    name: route.model,
    version: String(route.version),
    ...readinessOf(loaded.serving(route.id)),
  })

  const entriesOf = (model: string): ReadonlyArray<Entry> => {
    const versions = routing.readyVersions(model) ?? []
    return versions.length > 0
      ? versions.map(entry)
      : [{ name: model, state: "UNAVAILABLE", reason: "no version is ready" }]
  }

  const index = (onlyReady: boolean, caller: Identity) =>
    routing
      .models()
      .filter((model) => mayUse(caller, model))
      .flatMap(entriesOf)
      .filter(({ state }) => !onlyReady || state === "READY")

  return {
    index: (request: HttpServerRequest.HttpServerRequest) =>
      Effect.zipWith(readText(request), CurrentIdentity, (text, caller) =>
        Option.match(readyOnly(text), {
          onNone: () => failure(400, 'The body has to be empty, or JSON like {"ready": true}'),
          onSome: (ready) => HttpServerResponse.jsonUnsafe(index(ready, caller)),
        }),
      ),

    load: Effect.fnUntraced(function* (model: string, request: HttpServerRequest.HttpServerRequest) {
      const refused = refuseParameters(yield* readText(request))
      if (refused !== undefined)
        return failure(refused.status, `failed to load '${model}': ${refused.message}`)
      const route = routing.resolve(model)
      if (Result.isFailure(route)) return failure(404, `failed to load '${model}': ${route.failure.message}`)
      return yield* loaded.load(route.success).pipe(
        Effect.as(HttpServerResponse.jsonUnsafe({})),
        Effect.catch(({ message }) => Effect.succeed(failure(503, `failed to load '${model}': ${message}`))),
      )
    }),

    unload: Effect.fnUntraced(function* (model: string, request: HttpServerRequest.HttpServerRequest) {
      const refused = refuseParameters(yield* readText(request))
      if (refused !== undefined)
        return failure(refused.status, `failed to unload '${model}': ${refused.message}`)
      const versions = routing.readyVersions(model)
      if (versions === undefined)
        return failure(404, `failed to unload '${model}': There is no model "${model}"`)
      yield* Effect.forEach(versions, loaded.unload, { concurrency: "unbounded", discard: true })
      return HttpServerResponse.jsonUnsafe({})
    }),
  }
})
