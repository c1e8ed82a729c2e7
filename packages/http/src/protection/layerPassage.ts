/** Lets requests pass behind the router, for hosts that did not do it ahead. */
import { Origin } from "@modelforge/core"
import { Effect } from "effect"
import { Headers, HttpEffect, HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { toResponse } from "../handlers/dataPlaneRoute.ts"
import { type Passage, Protection } from "./Protection.ts"

/** Those that the answer does not have. */
const addHeaders = (passage: Passage) =>
  HttpEffect.appendPreResponseHandler((_, response) =>
    Effect.succeed(
      HttpServerResponse.setHeaders(
        response,
        Object.entries(passage.headers).filter(([name]) => response.headers[name] === undefined),
      ),
    ),
  )

/** Global, and outside the guard. */
export const layerPassage = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const protection = yield* Protection
    yield* router.addGlobalMiddleware((httpEffect) =>
      Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
        const { method, url: target, headers, source } = request
        const before = protection.passages.get(source)
        const passage =
          before ?? protection.receive({ method, target, headers, peer: undefined, unixSocket: false })
        const onward = httpEffect.pipe(
          Effect.provideService(Origin, { address: passage.client.address ?? null, requestId: passage.id }),
        )
        if (before !== undefined) return onward
        const named = request.modify({ headers: Headers.set(headers, "x-request-id", passage.id) })
        return Effect.andThen(
          addHeaders(passage),
          passage.answer === undefined
            ? Effect.provideService(onward, HttpServerRequest.HttpServerRequest, named)
            : Effect.succeed(toResponse(passage.answer)),
        )
      }),
    )
  }),
)
