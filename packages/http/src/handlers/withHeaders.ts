/** Headers beside what a handler answers. */
import { Effect } from "effect"
import { HttpEffect, HttpServerResponse } from "effect/http"

/** Whatever is answered to this request has them, refusals included. */
export const withHeaders = (headers: Readonly<Record<string, string>>) =>
  HttpEffect.appendPreResponseHandler((_, response) =>
    Effect.succeed(HttpServerResponse.setHeaders(response, headers)),
  )
