/** An answer of the data plane, and how a failure becomes one. */
import { ModelNotFoundProblem, VersionNotFoundProblem } from "@modelforge/api"
import type { Problem } from "../../problems.ts"
import type { DataRoute } from "../routes.ts"

/** Text, or chunks of bytes that are written one after the other. Chunks are the memory of tensors: never write to them. */
export type ResponseBody = string | ReadonlyArray<Uint8Array>

export interface DataPlaneResponse {
  readonly status: number
  /** Names in lower case. Without `content-length`: who writes the body knows it. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: ResponseBody
}

/** Bytes of all chunks together. */
export const chunksLength = (chunks: ReadonlyArray<Uint8Array>): number => {
  let length = 0
  for (const chunk of chunks) length += chunk.length
  return length
}

/** What V2 clients are told. Those that look into messages know Triton's. */
export const messageV2 = (problem: Problem): string => {
  if (problem instanceof ModelNotFoundProblem)
    return `Request for unknown model: '${problem.model}' is not found`
  if (problem instanceof VersionNotFoundProblem) {
    const { model, version } = problem
    return version === null
      ? `Request for unknown model: '${model}' has no available versions`
      : `Request for unknown model: '${model}' version ${version} is not found`
  }
  return problem.message
}

/** Statuses and bodies differ: V2 has one error body, and knows malformed requests as 400 only. */
export const renderProblem = (
  kind: DataRoute["kind"],
  problem: Problem,
  id: string,
  retryAfterSeconds = 1,
): DataPlaneResponse => {
  const retry = problem.status === 503 ? { "retry-after": String(retryAfterSeconds) } : undefined
  const headers = { "x-request-id": id, ...retry }
  return kind === "predict"
    ? {
        status: problem.status,
        headers: { "content-type": "application/problem+json", ...headers },
        body: JSON.stringify(problem),
      }
    : {
        status: problem.status === 422 ? 400 : problem.status,
        headers: { "content-type": "application/json", ...headers },
        body: JSON.stringify({ error: messageV2(problem) }),
      }
}
