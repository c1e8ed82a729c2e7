/** Requests that depend on what the client knows: entity tags, by RFC 9110. */
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as Schema from "effect/Schema"

const EntityTags = Schema.String.check(
  Schema.isMaxLength(4096),
  Schema.isPattern(/^[\t ]*(?:\*|(?:(?:W\/)?"[^"]*"[\t ]*(?:,[\t ]*|$))+)[\t ]*$/, {
    message: 'expected entity tags in double quotes, as ETag gives them, separated by commas, or "*"',
  }),
)

/** Of every read that is answered with an `ETag`. */
export const readHeaders = {
  /** Entity tags that the client has: when one is the present one, the answer is an empty 304. */
  "if-none-match": Schema.optionalKey(Schema.String),
}

/** Of every change of something with an `ETag`. */
export const changeHeaders = {
  /** The change is made only if one of these entity tags is the present one; `*`: if there is anything. */
  "if-match": Schema.optionalKey(EntityTags),
}

/** Of changes that may also make what they change. */
export const putHeaders = {
  ...changeHeaders,
  /** `*`: the change is made only if there is nothing yet. */
  "if-none-match": Schema.optionalKey(
    Schema.String.check(
      Schema.isPattern(/^[\t ]*\*[\t ]*$/, { message: 'expected "*": only if there is nothing yet' }),
    ),
  ),
}

/** An answer with its entity tag, a strong one. */
export const Tagged = <S extends Schema.Top>(schema: S) =>
  HttpApiSchema.WithHeaders(schema, { etag: Schema.String })

/** What the client has is what there is. */
export const NotModified = HttpApiSchema.Empty(304)
