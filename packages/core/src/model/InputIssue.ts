/** What is wrong with one part of a request. */
import { Schema } from "effect"

export const InputIssue = Schema.Struct({
  /** Where, in the request's own terms: `inputs.image[0][3]`, `outputs[0]`. */
  path: Schema.String,
  /** What was expected and what came. */
  message: Schema.String,
})
export type InputIssue = typeof InputIssue.Type
