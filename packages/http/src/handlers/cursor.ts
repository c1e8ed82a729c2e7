/** Cursors: the last key of a page, opaque to clients. */
import { BadRequestProblem, defaultLimit } from "@modelforge/api"
import type { Window } from "@modelforge/core"
import { Effect, Option, Result } from "effect"
import { Base64Url } from "effect/encoding"

const invalid = () =>
  new BadRequestProblem({
    detail: "The cursor is not one that this list gave: start again without it",
    errors: [{ path: "query.cursor", message: "not a cursor of this list" }],
  })

/** The stretch of the list that a query asks for. `decode` says whether a key can be one of this list. */
export const windowOf = <Key>(
  query: { readonly limit?: number; readonly cursor?: string },
  decode: (key: string) => Option.Option<Key>,
): Effect.Effect<Window<Key>, BadRequestProblem> => {
  const limit = query.limit ?? defaultLimit
  if (query.cursor === undefined) return Effect.succeed({ limit })
  const key = Result.getSuccess(Base64Url.decodeString(query.cursor)).pipe(Option.flatMap(decode))
  return Option.isSome(key) ? Effect.succeed({ limit, after: key.value }) : Effect.fail(invalid())
}

/** A page of at most `limit` of the items, one more of which were read to know whether there are more. */
export const pageOf = <Item>(
  items: ReadonlyArray<Item>,
  limit: number,
  keyOf: (item: Item) => string | number,
): { readonly items: ReadonlyArray<Item>; readonly nextCursor: string | null } => {
  const page = items.slice(0, limit)
  const last = page.at(-1)
  return {
    items: page,
    nextCursor: items.length > limit && last !== undefined ? Base64Url.encode(String(keyOf(last))) : null,
  }
}
