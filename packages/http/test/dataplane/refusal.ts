/** The problem that a reader throws, with its one issue. */
import { BadRequestProblem, InvalidRequestProblem } from "@modelforge/api"

export const refusal = (read: () => unknown) => {
  try {
    read()
  } catch (error) {
    if (error instanceof BadRequestProblem || error instanceof InvalidRequestProblem) {
      const [issue, ...more] = error.errors ?? []
      if (issue !== undefined && more.length === 0)
        return { type: error.type, detail: error.detail, path: issue.path, message: issue.message }
    }
    throw error
  }
  throw new Error("it was taken")
}
