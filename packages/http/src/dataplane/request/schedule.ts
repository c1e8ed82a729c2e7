/** When a request wants its turn: `parameters.timeout` and `parameters.priority`, as Triton's schedule policy has them. */
import { describeValue, type RunOptions } from "@modelforge/core"
import { Predicate } from "effect"

export type Schedule = Pick<RunOptions, "timeoutMs" | "priority">

/** The place of requests that give no priority, or 0. */
const defaultPriority = 100

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0

/**
 * `timeout` is in microseconds and at least 1; `priority` is 1 for first, 0 for the default. Other parameters are left
 * alone. Throws what `refuse` makes of a member that is neither.
 */
export const readSchedule = (
  parameters: unknown,
  refuse: (path: string, message: string) => Error,
): Schedule => {
  if (parameters === undefined || parameters === null) return { priority: defaultPriority }
  if (!Predicate.isObject(parameters) || Array.isArray(parameters))
    throw refuse("parameters", `expected an object, got ${describeValue(parameters)}`)
  const { timeout, priority = 0 } = parameters as { readonly timeout?: unknown; readonly priority?: unknown }
  if (timeout !== undefined && (!isCount(timeout) || timeout === 0))
    throw refuse("parameters.timeout", `expected microseconds, 1 or more, got ${describeValue(timeout)}`)
  if (!isCount(priority))
    throw refuse(
      "parameters.priority",
      `expected 0 for the default, or 1 and up, got ${describeValue(priority)}`,
    )
  return {
    priority: priority === 0 ? defaultPriority : priority,
    timeoutMs: timeout === undefined ? undefined : timeout / 1000,
  }
}
