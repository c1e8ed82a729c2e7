/** The guard in front of the router, for every host. */
import { Actor, actorOf, CurrentIdentity, type Identity } from "@modelforge/core"
import { Effect, Result } from "effect"
import { HttpRouter, HttpServerRequest } from "effect/http"
import { toResponse } from "../handlers/dataPlaneRoute.ts"
import { withHeaders } from "../handlers/withHeaders.ts"
import { Guard } from "./Guard.ts"

/**
 * Global, so that no route escapes it. What the host admitted already is asked again, of the very method and path that
 * the router matches: whatever a host made of the request on the way here, nothing is served with less than it asks for.
 */
export const layerGuard = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const guard = yield* Guard

    const admit = (request: HttpServerRequest.HttpServerRequest) => {
      const { method, url: target, headers, source } = request
      const caller = guard.callers.get(source)
      if (caller === undefined)
        return Result.map(
          guard.admit({ method, target, headers, peer: undefined, unixSocket: false }),
          ({ identity }) => identity,
        )
      const refusal = guard.authorize(caller, method, target)
      return refusal === undefined ? Result.succeed(caller) : Result.fail(refusal)
    }

    const asCaller =
      (identity: Identity) =>
      <A, E, R>(effect: Effect.Effect<A, E, R>) =>
        effect.pipe(
          Effect.provideService(CurrentIdentity, identity),
          Effect.provideService(Actor, actorOf(identity)),
        )

    /** Counts it, unless the host did. */
    const count = Effect.fnUntraced(function* (
      identity: Identity,
      { source, url }: HttpServerRequest.HttpServerRequest,
    ) {
      if (guard.callers.has(source)) return undefined
      const counted = yield* Effect.promise(async () => guard.count(identity, url))
      if (Result.isFailure(counted)) return counted.failure
      if (counted.success !== undefined) yield* withHeaders(counted.success)
      return undefined
    })

    yield* router.addGlobalMiddleware((httpEffect) =>
      Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
        const admitted = admit(request)
        if (Result.isFailure(admitted)) return Effect.succeed(toResponse(admitted.failure))
        return Effect.flatMap(count(admitted.success, request), (refused) =>
          refused === undefined
            ? asCaller(admitted.success)(httpEffect)
            : Effect.succeed(toResponse(refused)),
        )
      }),
    )
  }),
)
