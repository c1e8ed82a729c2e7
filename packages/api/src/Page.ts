/** How lists are cut into pages. */
import * as Schema from "effect/Schema"

/** Query parameters of every list. `limit` is 1 to 200, default 50; `cursor` is a `nextCursor` of the page before. */
export const pageQuery = {
  limit: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 200 }))),
  cursor: Schema.optionalKey(Schema.String),
}

export const defaultLimit = 50

export const Page = <Item extends Schema.Constraint>(item: Item) =>
  Schema.Struct({
    items: Schema.Array(item),
    /** Null on the last page. */
    nextCursor: Schema.NullOr(Schema.String),
  })
