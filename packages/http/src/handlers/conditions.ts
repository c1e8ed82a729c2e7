/** Entity tags: what a read is answered with, and what a change depends on. */
import { type Expectation, revisionOf } from "@modelforge/core"
import { HttpServerResponse } from "effect/http"
import { HttpApiSchema } from "effect/http-api"

const tags = (header: string): ReadonlyArray<string> => header.match(/(?:W\/)?"[^"]*"/g) ?? []

/**
 * What the headers of a change expect. A weak tag is none of those here, by the strong comparison that RFC 9110 wants of
 * `If-Match`. What follows a dot in a tag is no part of the state that is changed.
 */
export const expectationOf = (headers: {
  readonly "if-match"?: string
  readonly "if-none-match"?: string
}): Expectation | undefined => {
  const { "if-match": match, "if-none-match": noneMatch } = headers
  if (match === undefined) return noneMatch === undefined ? undefined : "absent"
  // Something that is known, and nothing: never.
  if (noneMatch !== undefined) return []
  if (match.trim() === "*") return "present"
  return tags(match).flatMap((tag) => (tag.startsWith("W/") ? [] : [tag.slice(1, -1).replace(/\..*$/, "")]))
}

/** Whether a client has what it asks for, by the weak comparison that RFC 9110 wants of `If-None-Match`. */
const isKnown = (header: string | undefined, etag: string): boolean =>
  header !== undefined &&
  (header.trim() === "*" || tags(header).some((tag) => tag.replace(/^W\//, "") === etag))

/** The tag of a state. `beside` is shown with it, but no part of what a change depends on. */
export const entityTag = (state: unknown, beside?: unknown): string =>
  beside === undefined ? `"${revisionOf(state)}"` : `"${revisionOf(state)}.${revisionOf(beside)}"`

export const tagged = <A>(body: A, etag: string) => HttpApiSchema.withHeaders({ body, headers: { etag } })

/** To be asked again: an alias moves, and a deleted model's name may be taken by another. */
export const revalidated = { "cache-control": "private, no-cache" }

/** An empty 304 when the client has it already. */
export const unlessKnown = <A>(
  headers: { readonly "if-none-match"?: string },
  etag: string,
  answer: () => A,
): A | HttpServerResponse.HttpServerResponse =>
  isKnown(headers["if-none-match"], etag)
    ? HttpServerResponse.empty({ status: 304, headers: { etag, ...revalidated } })
    : answer()
