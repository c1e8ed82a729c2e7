/** Random requests over all routes, from a seed: many are right, most were right before they were damaged. */
import type { Random } from "../../../core/test/random.ts"
import { operations } from "./contract.ts"
import { damagedBody, damagedPath, flipped, framed, plain } from "./damage.ts"
import { fill, type Pairs, type ValidRequest } from "./FuzzWorld.ts"
import type { Sending } from "./HttpWire.ts"
import { contentTypes, headers, queries } from "./hostileText.ts"

/** In their shares: a third of all requests are predictions, which have most to read. */
const asked = (() => {
  const predictions = operations.filter(({ path }) => /\/(?:infer|predict)$/.test(path))
  const share = operations.length / 2
  return [
    ...operations,
    ...Array.from({ length: share }, (_, at) => predictions[at % predictions.length]),
  ].filter((operation) => operation !== undefined)
})()

export const pickOperation = (dice: Random) => dice.pick(asked)

const methods = [
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "PATCH",
  "DELETE",
  "OPTIONS",
  "TRACE",
  "PROPFIND",
  "get",
  "ODD",
]

export interface FuzzRequest extends Sending {
  /** For people. */
  readonly told: string
  readonly paths: ReadonlyArray<string>
  /** Ids of operations that are asked for where they are; undefined where the method or the path is another. */
  readonly operations: ReadonlyArray<string | undefined>
  /** It is no HTTP any more, or the server can't know where it ends: the connection may be closed without an answer. */
  readonly malformed: boolean
}

export interface Credentials {
  readonly port: number
  /** Added to most requests. */
  readonly valid: ReadonlyArray<string>
}

/** Beyond this a head is no request any more; it is less than what the parser takes in all. */
const maxHeadBytes = 15_000

/** What of a request is not as it was. More than a third are right as they are. */
const damageOf = (dice: Random) => {
  const [isRight, also] = [dice.int(8) < 3, dice.int(8)]
  const hit = isRight ? undefined : dice.int(10)
  const among = (...numbers: ReadonlyArray<number>) => hit !== undefined && numbers.includes(hit)
  return {
    isRight,
    path: among(0) || (!isRight && also === 0),
    query: among(1, 2),
    body: among(3, 4, 5, 6) || (!isRight && also === 1),
    headers: among(7) || (!isRight && also === 2),
    method: among(8),
    type: among(9),
    frame: !isRight,
  }
}

const queryOf = (pairs: Pairs) =>
  pairs.length === 0
    ? ""
    : `?${pairs.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&")}`

const authorization = ({ valid }: Credentials, isRight: boolean, dice: Random): Pairs => {
  const [most = ""] = valid
  if (isRight) return [["Authorization", `Bearer ${dice.int(8) === 0 ? dice.pick(valid) : most}`]]
  if (dice.int(12) !== 0) return [["Authorization", `Bearer ${dice.pick(valid)}`]]
  const bad = ["Bearer mf_odd", "Basic YTpi", "Bearer", "Bearer a.b.c", `Bearer ${"x".repeat(3000)}`]
  return dice.int(2) === 0 ? [["Authorization", dice.pick(bad)]] : []
}

const one = (valid: ValidRequest, credentials: Credentials, isLast: boolean, dice: Random) => {
  const { operation } = valid
  const damage = damageOf(dice)
  const method = damage.method ? dice.pick(methods) : operation.method
  const path = damage.path ? damagedPath(valid, dice) : fill(operation.path, valid.params)
  const query = queryOf(valid.query)
  const target = `${path}${damage.query ? dice.pick([dice.pick(queries), `${query}${dice.pick(queries).replace("?", query === "" ? "?" : "&")}`]) : query}`
  const content = damage.body ? damagedBody(valid.body, dice) : plain(valid.body?.bytes ?? Buffer.alloc(0))
  const hasBody = content.bytes.length > 0 || !["GET", "HEAD", "OPTIONS"].includes(method)
  const frame =
    isLast && damage.frame
      ? framed(content.bytes, method, dice)
      : {
          line: hasBody ? `Content-Length: ${content.bytes.length}\r\n` : "",
          bytes: content.bytes,
          malformed: false,
          short: false,
        }
  const { port } = credentials
  const host =
    damage.headers && dice.int(8) === 0 ? dice.pick(["example.com", "", "127.0.0.1:1"]) : `127.0.0.1:${port}`
  const sent: Array<readonly [string, string]> = [["Host", host], ...valid.headers, ...content.headers]
  const type = damage.type ? dice.pick(contentTypes) : valid.body?.type
  if (type !== undefined && hasBody) sent.push(["Content-Type", type])
  sent.push(...authorization(credentials, damage.isRight, dice))
  if (damage.headers) for (let more = 1 + dice.int(3); more > 0; more--) sent.push(dice.pick(headers))
  if (damage.headers && dice.int(30) === 0)
    for (let index = 0; index < 3000; index++) sent.push([`x-${index}`, "y"])
  if (isLast) sent.push(["Connection", "close"])
  const lines = sent.map(([name, value]) => `${name}: ${value}\r\n`).join("")
  const head = Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines}${frame.line}\r\n`, "latin1")
  // Node's parser refuses these itself, or takes the connection for another protocol.
  const unusual =
    /[\u0080-\uffff]/.test(lines) || !/^[A-Z]+$/.test(method) || ["ODD", "CONNECT"].includes(method)
  return {
    method,
    target,
    operation: damage.method || damage.path ? undefined : operation.id,
    bytes: Buffer.concat([head, frame.bytes]),
    malformed:
      frame.malformed ||
      unusual ||
      head.length > maxHeadBytes ||
      sent.some(([name]) => name === "upgrade" || name === "expect"),
    short: frame.short,
  }
}

/** Some are several requests in one write; of some only a part is sent. */
export const fuzzRequest = (
  valid: ReadonlyArray<ValidRequest>,
  credentials: Credentials,
  dice: Random,
): FuzzRequest => {
  const requests = valid.map((request, index) => one(request, credentials, index === valid.length - 1, dice))
  const whole = Buffer.concat(requests.map(({ bytes }) => bytes))
  const shared = {
    told: requests.map(({ method, target }) => `${method} ${target.slice(0, 200)}`).join(" + "),
    paths: requests.map(({ target }) => target),
    operations: requests.map(({ operation }) => operation),
    heads: requests.map(({ method }) => method === "HEAD"),
  }
  const cut = dice.int(20) === 0 ? { cut: 1 + dice.int(400) } : {}
  switch (dice.int(40)) {
    case 0:
      return {
        ...shared,
        bytes: whole.subarray(0, dice.int(whole.length)),
        malformed: true,
        leaveAfterMs: 30,
      }
    case 1:
      return { ...shared, ...cut, bytes: flipped(whole, dice), malformed: true, leaveAfterMs: 300 }
    default:
      return {
        ...shared,
        ...cut,
        bytes: whole,
        malformed: requests.some(({ malformed }) => malformed),
        ...(requests.some(({ short }) => short) ? { leaveAfterMs: 50 } : {}),
      }
  }
}
