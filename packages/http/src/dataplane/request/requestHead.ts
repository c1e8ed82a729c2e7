/** What the head of a request says, and what is wrong with it before its body is read. */
import { BadRequestProblem, UnsupportedMediaTypeProblem } from "@modelforge/api"
import type { Problem } from "../../problems.ts"
import { parseTraceParent } from "../../protection/traceparent.ts"
import type { DataRoute } from "../routes.ts"

/** Header names in lower case. */
export type RequestHeaders = Readonly<Record<string, string | ReadonlyArray<string> | undefined>>

export const firstValue = (value: string | ReadonlyArray<string> | undefined): string | undefined =>
  typeof value === "string" ? value : value?.[0]

const ofThisProcess = crypto.randomUUID().slice(0, 24)
let idsMade = 0

/** Looks like any UUID. The last of its fields counts: a random one for each request takes twice the time. */
const newId = (): string => `${ofThisProcess}${(++idsMade).toString(16).padStart(12, "0")}`

/**
 * An id that can stand in a header and a log line: what the client sent, when it is one; else its trace and span, by which
 * the request is found where the client's are; else a new one.
 */
export const requestId = (headers: RequestHeaders): string => {
  const sent = firstValue(headers["x-request-id"])
  if (sent !== undefined && /^[\x21-\x7e]{1,128}$/.test(sent)) return sent
  const trace = parseTraceParent(firstValue(headers["traceparent"]))
  return trace === undefined ? newId() : `${trace.traceId}-${trace.spanId}`
}

/** Says how many bytes of a body, uncompressed, are JSON; the rest are binary tensors. 0: all is one raw tensor. */
export const inferenceHeader = "inference-header-content-length"

/** Bytes of JSON at the start of a V2 body; undefined when all of it is, NaN when the header is no such number. */
export const jsonLength = (headers: RequestHeaders): number | undefined => {
  const sent = headers[inferenceHeader]
  if (sent === undefined) return undefined
  const text = firstValue(sent) ?? ""
  return /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
}

export const codings = ["gzip", "deflate"] as const
export type Coding = (typeof codings)[number]

/** How a body is compressed; undefined when it is sent as it is, `"unknown"` when nobody here reads it. */
export const contentCoding = (headers: RequestHeaders): Coding | "unknown" | undefined => {
  const sent = headers["content-encoding"]
  if (sent === undefined) return undefined
  const name = (firstValue(sent) ?? "").trim().toLowerCase()
  return name === "identity" ? undefined : (codings.find((coding) => coding === name) ?? "unknown")
}

const isJson = (contentType: string) => /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(contentType)

const quoted = (value: string | ReadonlyArray<string> | undefined, length: number) =>
  `"${(firstValue(value) ?? "").slice(0, length)}"`

/** The encoding or the type of a body that nobody here reads. */
export const unsupportedBody = (kind: DataRoute["kind"], headers: RequestHeaders): Problem | undefined => {
  const coding = contentCoding(headers)
  if (coding !== undefined && (kind === "predict" || coding === "unknown")) {
    const instead =
      kind === "infer" ? `send ${codings.join(", ")}, or the body as it is` : "send the body as it is"
    const encoding = quoted(headers["content-encoding"], 40)
    return new UnsupportedMediaTypeProblem({
      detail: `The content encoding ${encoding} is not supported: ${instead}`,
    })
  }
  const type = firstValue(headers["content-type"])
  // V2 clients send any type or none. For people a wrong type is most often a forgotten header, and refusing the
  // types that forms can send keeps other sites' pages out.
  if (kind === "predict" && type !== undefined && !isJson(type))
    return new UnsupportedMediaTypeProblem({
      detail: `The content type ${quoted(type, 80)} is not supported: send "content-type: application/json"`,
    })
  if (kind === "infer" && Number.isNaN(jsonLength(headers)))
    return new BadRequestProblem({
      detail: `Inference-Header-Content-Length: expected the number of bytes of the JSON, got ${quoted(headers[inferenceHeader], 40)}`,
    })
  return undefined
}
