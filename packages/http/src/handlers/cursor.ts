/** Cursors: the last key of a page, opaque to clients, and good for the list that gave it only. */
import { BadRequestProblem, defaultLimit } from "@modelforge/api"
import { SecretKey, type Window } from "@modelforge/core"
import { Effect, Option, Result } from "effect"
import { Base64Url } from "effect/encoding"

const invalid = () =>
  new BadRequestProblem({
    detail: "The cursor is not one that this list gave: start again without it",
    errors: [{ path: "query.cursor", message: "not a cursor of this list" }],
  })

/** Bytes of the signature before the key. */
const signatureBytes = 16

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Of a list whose keys are numbers from 1. */
export const numberKey = (key: string): Option.Option<number> =>
  /^[1-9]\d{0,8}$/.test(key) ? Option.some(Number(key)) : Option.none()

/** What the list and the key are signed as: neither can be taken for a part of the other. */
const signed = (list: ReadonlyArray<string>, key: string) => JSON.stringify([...list, key])

/**
 * `list` names a list among all others: `["versions", "digits"]`. Filters are no part of it: a page is cut by its key,
 * whatever is filtered out.
 */
export const makeCursors = Effect.map(SecretKey, (secret) => {
  const cursorOf = (list: ReadonlyArray<string>, key: string) => {
    const bytes = encoder.encode(key)
    const cursor = new Uint8Array(signatureBytes + bytes.length)
    cursor.set(secret.sign("cursor", signed(list, key)))
    cursor.set(bytes, signatureBytes)
    return Base64Url.encode(cursor)
  }

  const keyOf = (list: ReadonlyArray<string>, cursor: string): Option.Option<string> =>
    Option.flatMap(Result.getSuccess(Base64Url.decode(cursor)), (bytes) => {
      const key = decoder.decode(bytes.subarray(signatureBytes))
      return secret.verify("cursor", signed(list, key), bytes.subarray(0, signatureBytes))
        ? Option.some(key)
        : Option.none()
    })

  return {
    /** The stretch of the list that a query asks for. `decode` makes a key of its text. */
    windowOf: <Key>(
      list: ReadonlyArray<string>,
      query: { readonly limit?: number; readonly cursor?: string },
      decode: (key: string) => Option.Option<Key>,
    ): Effect.Effect<Window<Key>, BadRequestProblem> => {
      const limit = query.limit ?? defaultLimit
      if (query.cursor === undefined) return Effect.succeed({ limit })
      const key = Option.flatMap(keyOf(list, query.cursor), decode)
      return Option.isSome(key) ? Effect.succeed({ limit, after: key.value }) : Effect.fail(invalid())
    },

    /** A page of at most `limit` of the items, one more of which were read to know whether there are more. */
    pageOf: <Item>(
      list: ReadonlyArray<string>,
      items: ReadonlyArray<Item>,
      limit: number,
      keyOfItem: (item: Item) => string | number,
    ): { readonly items: ReadonlyArray<Item>; readonly nextCursor: string | null } => {
      const page = items.slice(0, limit)
      const last = page.at(-1)
      const more = items.length > limit && last !== undefined
      return { items: page, nextCursor: more ? cursorOf(list, String(keyOfItem(last))) : null }
    },
  }
})
