/** Which other sites' pages may call, and read what is answered: none, unless the operator names them. */
import { firstValue, type RequestHeaders } from "../dataplane/request/requestHead.ts"
import type { DataPlaneResponse } from "../dataplane/response/response.ts"

/** An origin as browsers send it: scheme and host, and the port where it is not the scheme's own. */
export const isOrigin = (text: string): boolean =>
  /^https?:\/\//.test(text) && URL.canParse(text) && new URL(text).origin === text

/** What pages may send beside what browsers always let them. */
const requestHeaders = [
  "authorization",
  "content-digest",
  "content-encoding",
  "content-type",
  "idempotency-key",
  "if-match",
  "if-none-match",
  "inference-header-content-length",
  "last-event-id",
  "traceparent",
  "tracestate",
  "tus-resumable",
  "upload-checksum",
  "upload-defer-length",
  "upload-length",
  "upload-metadata",
  "upload-offset",
  "x-api-key",
  "x-request-id",
].join(", ")

/** What pages may read beside what browsers always let them. */
const responseHeaders = [
  "content-encoding",
  "etag",
  "idempotency-replayed",
  "inference-header-content-length",
  "location",
  "modelforge-cache",
  "modelforge-model-version",
  "ratelimit",
  "ratelimit-policy",
  "retry-after",
  "server-timing",
  "tus-checksum-algorithm",
  "tus-extension",
  "tus-max-size",
  "tus-resumable",
  "tus-version",
  "upload-expires",
  "upload-length",
  "upload-metadata",
  "upload-offset",
  "www-authenticate",
  "x-request-id",
].join(", ")

export interface Cors {
  /** Headers of every answer; undefined when the request is from no page that may read it. */
  readonly headersFor: (headers: RequestHeaders) => Readonly<Record<string, string>> | undefined
  /** The answer to a browser that asks before it sends a page's request; undefined when it is not asked, or refused. */
  readonly preflight: (method: string, headers: RequestHeaders) => DataPlaneResponse | undefined
}

/**
 * Pages send keys in headers, never what a browser keeps for a site: credentials in the sense of CORS are not allowed. A
 * `headersFor` of `undefined` still varies by origin where there are origins at all.
 */
export const makeCors = (origins: ReadonlyArray<string>): Cors => {
  const allowed = new Map(
    origins.map((origin) => [
      origin,
      {
        "access-control-allow-origin": origin,
        "access-control-expose-headers": responseHeaders,
        "cross-origin-resource-policy": "cross-origin",
      },
    ]),
  )
  const headersFor = (headers: RequestHeaders) => {
    const origin = allowed.size === 0 ? undefined : firstValue(headers["origin"])
    return origin === undefined ? undefined : allowed.get(origin)
  }
  return {
    headersFor,
    preflight: (method, headers) => {
      if (method !== "OPTIONS" || headers["access-control-request-method"] === undefined) return undefined
      return headersFor(headers) === undefined
        ? undefined
        : {
            status: 204,
            headers: {
              "access-control-allow-methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
              "access-control-allow-headers": requestHeaders,
              "access-control-max-age": "600",
            },
            body: "",
          }
    },
  }
}
