/** For answers with a secret: nothing on the way may keep them. */
import { Effect } from "effect"
import { HttpEffect, HttpServerResponse } from "effect/http"

export const neverStored = () =>
  HttpEffect.appendPreResponseHandler((_request, response) =>
    Effect.succeed(HttpServerResponse.setHeader(response, "cache-control", "no-store")),
  )
