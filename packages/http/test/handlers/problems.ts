/** What tests say of refusals. */
import { assert } from "@effect/vitest"
import type { Answer } from "../Mount.ts"
import { secret } from "../TestForge.ts"

/** A body that was an object, to look into. */
export const body = ({ json, text }: Answer): Record<string, unknown> => {
  if (typeof json !== "object" || json === null) throw new Error(`not a JSON object: ${text}`)
  return { ...json }
}

const noInternals = ({ text }: Answer) => {
  for (const inner of [secret, "Error:", "at file", "node_modules", "/tmp/"]) assert.notInclude(text, inner)
}

/** The answer is the problem `name` of `/v1`, whole and with nothing of the server's inside. */
export const isProblem = (
  answer: Answer,
  status: number,
  name: string,
  members: Readonly<Record<string, unknown>> = {},
) => {
  assert.strictEqual(answer.status, status, answer.text)
  assert.strictEqual(answer.headers.get("content-type"), "application/problem+json")
  const problem = body(answer)
  assert.strictEqual(problem["type"], `urn:modelforge:problem:${name}`)
  assert.strictEqual(problem["status"], status)
  assert.isString(problem["title"])
  for (const [key, value] of Object.entries(members))
    if (value instanceof RegExp) assert.match(String(problem[key]), value)
    else assert.deepStrictEqual(problem[key], value)
  noInternals(answer)
}

/** The answer is a failure as V2 has them. */
export const isV2Error = (answer: Answer, status: number, message: RegExp) => {
  assert.strictEqual(answer.status, status, answer.text)
  // Clients lose the message of anything else, `; charset=utf-8` included.
  assert.strictEqual(answer.headers.get("content-type"), "application/json")
  assert.deepStrictEqual(Object.keys(body(answer)), ["error"])
  assert.match(String(body(answer)["error"]), message)
  noInternals(answer)
}
