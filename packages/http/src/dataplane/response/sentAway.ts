/** Answers to those that there is no place for. They come in storms, when everything that an answer costs is missing elsewhere. */
import { InferenceError, withoutStack } from "@modelforge/core"
import { inferenceProblem } from "../../problems.ts"
import type { DataRoute } from "../routes.ts"
import { type DataPlaneResponse, renderProblem } from "./response.ts"

/** Seconds after which an overloaded model is likely to take requests again; undefined for other failures. */
export const retryAfter = (error: unknown): number | undefined =>
  error instanceof InferenceError && error.reason._tag === "Overloaded"
    ? error.reason.retryAfterSeconds
    : undefined

const render = (kind: DataRoute["kind"], error: InferenceError, id: string): DataPlaneResponse =>
  renderProblem(
    kind,
    withoutStack(() => inferenceProblem(error.reason)),
    id,
    retryAfter(error),
  )

const rendered = {
  predict: new WeakMap<InferenceError, DataPlaneResponse>(),
  infer: new WeakMap<InferenceError, DataPlaneResponse>(),
}

/** `Admission` gives the same error as long as the same is to be said, which is then written once. */
export const sentAway = (kind: DataRoute["kind"], error: InferenceError, id: string): DataPlaneResponse => {
  if (error.reason._tag !== "Overloaded") return render(kind, error, id)
  const known = rendered[kind].get(error)
  if (known !== undefined) return { ...known, headers: { ...known.headers, "x-request-id": id } }
  const response = render(kind, error, id)
  rendered[kind].set(error, response)
  return response
}
