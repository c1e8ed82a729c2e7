/** What no answer may be, whatever was asked. */
import { operations } from "./contract.ts"
import type { WireAnswer } from "./HttpWire.ts"

/** As the router reads it: it takes further slashes and other cases, too. */
const pathOf = (target: string) => (target.split(/[?#]/, 1)[0] ?? "").replaceAll(/\/+/g, "/").toLowerCase()

/** Statuses from 501 that the contract names for a path, whatever the method. */
const declared = operations.map(({ path, statuses }) => {
  const pattern = path
    .replace(/(?<=.)\/$/, "")
    .replaceAll(".", "\\.")
    .replaceAll(/\{[^}]+\}/g, "[^/]+")
  return { pattern: new RegExp(`^${pattern}/?$`, "i"), statuses: statuses.filter((status) => status >= 501) }
})

const isDeclared = (target: string, status: number): boolean =>
  declared.some(({ pattern, statuses }) => pattern.test(pathOf(target)) && statuses.includes(status))

/** Places on this machine, where code stands, and the words of the database. */
const internals =
  /\/(?:home|tmp|root|work|usr|var|proc|opt)\/|node:internal|node_modules|file:\/\/|\.[cm]?[jt]s:\d|\bat (?:Object\.|async |new |process\.)|postgres|\b(?:select|insert into|update|delete from) [a-z_"*]+ |\bsql\b|"stack"|ECONN|ENOENT|EACCES|syscall/i

/** Pages and documents about the contract are made of its own words. */
const isDocumentation = ({ headers, body }: WireAnswer) =>
  headers.get("content-type")?.startsWith("text/html") === true ||
  body.subarray(0, 11).toString() === '{"openapi":'

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const wrongErrorV2 = (type: string | undefined, json: unknown): string | undefined => {
  if (type !== "application/json") return `content type ${type} of a V2 error`
  return isObject(json) && typeof json["error"] === "string" && Object.keys(json).length === 1
    ? undefined
    : "not V2's error body"
}

const wrongProblem = (type: string | undefined, json: unknown, status: number): string | undefined => {
  if (type !== "application/problem+json") return `content type ${type} of a problem`
  if (!isObject(json)) return "no problem"
  if (json["status"] !== status) return `status ${json["status"]} in the problem`
  return typeof json["type"] === "string" && typeof json["title"] === "string"
    ? undefined
    : "no type or title"
}

const wrongError = (target: string, { status, headers, body }: WireAnswer): string | undefined => {
  const type = headers.get("content-type")
  const json = parse(body.toString())
  if (/^\/v2(?:[/?#]|$)/.test(target)) return wrongErrorV2(type, json)
  const wrong = wrongProblem(type, json, status)
  // The router also finds paths of other cases and with more slashes; nobody is promised what those are answered with.
  return wrong !== undefined && /^\/+v2\b/i.test(target) ? wrongErrorV2(type, json) : wrong
}

/** The HTTP parser's own refusals have no body: they come before any path is known. */
const isParsers = ({ status, body, headers }: WireAnswer) =>
  body.length === 0 &&
  [400, 408, 413, 417, 431, 505].includes(status) &&
  headers.get("connection") === "close"

/** What is wrong with an answer; undefined when nothing is. */
export const wrongWith = (target: string, isHead: boolean, answer: WireAnswer): string | undefined => {
  const { status, headers, body } = answer
  if (status >= 500 && (status === 500 || !isDeclared(target, status))) return `status ${status}: ${body}`
  if (
    status === 503 &&
    !/^\d+$/.test(headers.get("retry-after") ?? "") &&
    !/^\/(?:v2\/|readyz)/.test(pathOf(target))
  )
    return "503 without Retry-After"
  const head = [...headers].map((header) => header.join(": ")).join("\n")
  const text =
    isDocumentation(answer) || headers.get("content-encoding") !== undefined ? "" : body.toString("latin1")
  const leak = internals.exec(`${head}\n${text}`)?.[0]
  if (leak !== undefined) return `a leak: ${leak}`
  if (status < 400 || isHead || isParsers(answer)) return undefined
  return wrongError(target, answer)
}
