/** The model repository extension of the Open Inference Protocol, on what this server has in memory. */
import {
  CurrentIdentity,
  type Identity,
  LoadedModels,
  mayUse,
  type Route,
  RoutingTable,
  type Serving,
} from "@modelforge/core"
import { Effect, Option, Predicate, Result } from "effect"
import { type HttpServerRequest, HttpServerResponse } from "effect/http"

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

/** The member `ready` of a body that may be missing; none when it is not a boolean, or the body not JSON. */
const readyOnly = (text: string): Option.Option<boolean> => {
  if (text.trim() === "") return Option.some(false)
  const body = Option.liftThrowable((source: string): unknown => JSON.parse(source))(text)
  const ready = Option.map(body, (value) =>
    Predicate.isObject(value) && "ready" in value ? value.ready : undefined,
  )
  return Option.flatMap(ready, (value) =>
    value === undefined || value === null
      ? Option.some(false)
      : Predicate.isBoolean(value)
        ? Option.some(value)
        : Option.none(),
  )
}

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
      Effect.zipWith(request.text, CurrentIdentity, (text, caller) =>
        Option.match(readyOnly(text), {
          onNone: () => failure(400, 'The body has to be empty, or JSON like {"ready": true}'),
          onSome: (ready) => HttpServerResponse.jsonUnsafe(index(ready, caller)),
        }),
      ),

    load: Effect.fnUntraced(function* (model: string) {
      const route = routing.resolve(model)
      if (Result.isFailure(route)) return failure(404, `failed to load '${model}': ${route.failure.message}`)
      return yield* loaded.load(route.success).pipe(
        Effect.as(HttpServerResponse.jsonUnsafe({})),
        Effect.catch(({ message }) => Effect.succeed(failure(503, `failed to load '${model}': ${message}`))),
      )
    }),

    unload: Effect.fnUntraced(function* (model: string) {
      const versions = routing.readyVersions(model)
      if (versions === undefined)
        return failure(404, `failed to unload '${model}': There is no model "${model}"`)
      yield* Effect.forEach(versions, loaded.unload, { concurrency: "unbounded", discard: true })
      return HttpServerResponse.jsonUnsafe({})
    }),
  }
})
