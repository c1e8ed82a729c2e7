/** What a request line may ask for. */
import { BadRequestProblem, UriTooLongProblem } from "@modelforge/api"
import type { Problem } from "../problems.ts"

/** Characters of path and query. */
export const maxTargetLength = 8192
export const maxQueryParameters = 100

/** What is wrong with a request's path and query, whatever they name. */
export const targetProblem = (target: string): Problem | undefined => {
  if (target.length > maxTargetLength)
    return new UriTooLongProblem({
      detail: `The path and query have ${target.length} characters, more than the ${maxTargetLength} that are taken`,
    })
  let parameters = target.includes("?") ? 1 : 0
  for (let at = target.indexOf("&"); at !== -1; at = target.indexOf("&", at + 1)) parameters++
  return parameters > maxQueryParameters
    ? new BadRequestProblem({
        detail: `The query has ${parameters} parameters, more than the ${maxQueryParameters} that are taken`,
      })
    : undefined
}
