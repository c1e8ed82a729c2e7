/** Random requests over all routes, from a seed: some are right, most were right before they were damaged. */
import { deflateSync, gzipSync } from "node:zlib"
import type { Random } from "../../../core/test/random.ts"
import * as onnx from "../../../onnx/test/onnxFile.ts"
import { type Operation, operations } from "./contract.ts"
import type { Sending } from "./HttpWire.ts"
import { contentTypes, headers, jsonBodies, models, mutate, queries, segments } from "./hostileText.ts"

type Route = Pick<Operation, "method" | "path">

const routes: ReadonlyArray<Route> = (() => {
  const all: ReadonlyArray<Route> = [
    ...operations,
    { method: "GET", path: "/docs" },
    { method: "GET", path: "/openapi.json" },
  ]
  // Half of all requests are predictions, which have most to read.
  const predictions = all.filter(({ path }) => /\/(?:infer|predict)$/.test(path))
  return [
    ...all,
    ...Array.from({ length: all.length }, (_, index) => predictions[index % predictions.length]),
  ].filter((route) => route !== undefined)
})()

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
  /** It is no HTTP any more, or the server can't know where it ends: the connection may be closed without an answer. */
  readonly malformed: boolean
}

export interface Credentials {
  readonly port: number
  /** Added to most requests. */
  readonly valid: ReadonlyArray<string>
}

/** Would leave the others nothing to ask: done to one of the models only. */
const isDestructive = (method: string, path: string) =>
  method === "DELETE" || /\/(?:unload|archive|config|traffic)$/.test(path)

const targetOf = (method: string, path: string, dice: Random): string => {
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    if (dice.int(5) === 0) return dice.pick(segments)
    if (name === "model") return dice.pick(isDestructive(method, path) ? ["fuzz-2", "nope"] : models)
    if (name === "alias") return dice.pick(["production", "staging", "a"])
    return dice.pick(["1", "1", "2", "production", "9"])
  })
  const odd = dice.int(40)
  const damaged =
    odd === 0
      ? `${filled}/${dice.pick(segments)}`
      : odd === 1
        ? `//${filled}`
        : odd === 2
          ? `${filled}/`
          : odd === 3
            ? `/${dice.pick(segments)}/${dice.pick(segments)}`
            : odd === 4
              ? filled.toUpperCase()
              : filled
  return `${damaged}${dice.pick(queries)}`
}

const floats = Buffer.from(Float32Array.of(1, 2).buffer)
const model = Buffer.from(onnx.identity(onnx.elementType.FP32, ["batch", 2]))

const multipart = (file: Uint8Array) =>
  Buffer.concat([
    Buffer.from('--b\r\nContent-Disposition: form-data; name="file"; filename="../../x"\r\n\r\n'),
    file,
    Buffer.from("\r\n--b--\r\n"),
  ])

const flipped = (bytes: Uint8Array, dice: Random): Buffer => {
  const copy = Buffer.from(bytes)
  for (let flips = 1 + dice.int(4); flips > 0 && copy.length > 0; flips--)
    copy[dice.int(copy.length)] = dice.int(256)
  return copy
}

interface Body {
  readonly bytes: Buffer
  readonly headers: ReadonlyArray<readonly [string, string]>
}

const plain = (bytes: Buffer): Body => ({ bytes, headers: [] })

const bodyOf = (dice: Random): Body => {
  const json = dice.pick(jsonBodies)
  switch (dice.int(14)) {
    case 0:
    case 1:
      return plain(Buffer.from(json))
    case 2:
    case 3:
    case 4:
      return plain(Buffer.from(mutate(json, dice)))
    case 5:
      return plain(flipped(Buffer.from(json), dice))
    case 6:
      return plain(Buffer.from(json).subarray(0, dice.int(json.length)))
    case 7: {
      const length = dice.pick([json.length, json.length, json.length - 1, json.length + 9, 0, 3])
      const bytes = dice.pick([
        floats,
        floats,
        floats.subarray(1),
        Buffer.concat([floats, floats]),
        Buffer.alloc(0),
      ])
      return {
        bytes: Buffer.concat([Buffer.from(json), bytes]),
        headers: [["inference-header-content-length", String(length)]],
      }
    }
    case 8: {
      const [coding, compress] = dice.pick([
        ["gzip", gzipSync],
        ["deflate", deflateSync],
      ] as const)
      const whole = compress(mutate(json, dice))
      const damaged = dice.pick([
        whole,
        whole,
        flipped(whole, dice),
        whole.subarray(0, dice.int(whole.length)),
      ])
      return {
        bytes: damaged,
        headers: [["content-encoding", dice.pick([coding, coding, "br", "x", "gzip, gzip"])]],
      }
    }
    case 9:
      return plain(Buffer.from(Array.from({ length: dice.int(200) }, () => dice.int(256))))
    case 10: {
      const file = dice.int(8) === 0 ? model : flipped(model, dice)
      return plain(dice.int(2) === 0 ? file : multipart(file))
    }
    case 11: {
      const depth = 1 + dice.int(3000)
      const [open, close] = dice.pick([
        ["[", "]"],
        ['{"inputs":', "}"],
        ['{"inputs":[{"data":', "}]}"],
      ] as const)
      return plain(
        Buffer.from(open.repeat(depth) + dice.pick(["1", "", '"x"']) + close.repeat(dice.int(2) * depth)),
      )
    }
    case 12:
      return dice.int(10) === 0
        ? plain(
            Buffer.from(
              `{"inputs":[{"name":"x","datatype":"FP32","shape":[100000,2],"data":[${"1.25,".repeat(199_999)}${dice.pick(["1", "x", ""])}]}]}`,
            ),
          )
        : plain(Buffer.from(json))
    default:
      return plain(Buffer.alloc(0))
  }
}

const chunked = (bytes: Buffer, dice: Random): Buffer => {
  const parts: Array<Buffer> = []
  for (let at = 0; at < bytes.length; ) {
    const piece = bytes.subarray(at, at + 1 + dice.int(1000))
    const extension = dice.int(10) === 0 ? ";a=b" : ""
    parts.push(Buffer.from(`${piece.length.toString(16)}${extension}\r\n`), piece, Buffer.from("\r\n"))
    at += piece.length
  }
  return Buffer.concat([...parts, Buffer.from("0\r\n\r\n")])
}

/** How the end of a body is told: mostly rightly. */
const framed = (bytes: Buffer, method: string, dice: Random) => {
  const bodiless = bytes.length === 0 && dice.int(2) === 0
  const length = (size: number) => `Content-Length: ${size}\r\n`
  switch (dice.int(30)) {
    case 0:
      return { line: length(bytes.length + 1 + dice.int(1000)), bytes, malformed: true, short: true }
    case 1:
      return { line: length(dice.int(bytes.length + 1)), bytes, malformed: true, short: false }
    case 2:
      return {
        line: dice.pick([
          "Content-Length: -1\r\n",
          "Content-Length: x\r\n",
          "Content-Length: 5\r\nContent-Length: 6\r\n",
        ]),
        bytes,
        malformed: true,
        short: false,
      }
    case 3:
      return {
        line: dice.pick([
          "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
          "Transfer-Encoding: odd\r\n",
        ]),
        bytes,
        malformed: true,
        short: false,
      }
    case 4:
      return {
        line: "Transfer-Encoding: chunked\r\n",
        bytes: Buffer.concat([Buffer.from("zz\r\n"), bytes]),
        malformed: true,
        short: false,
      }
    case 5:
    case 6:
    case 7:
    case 8:
      return {
        line: "Transfer-Encoding: chunked\r\n",
        bytes: chunked(bytes, dice),
        malformed: false,
        short: false,
      }
    default:
      return {
        line: bodiless && method !== "POST" ? "" : length(bytes.length),
        bytes,
        malformed: false,
        short: false,
      }
  }
}

/** Beyond this a head is no request any more; it is less than what the parser takes in all. */
const maxHeadBytes = 15_000

const one = (dice: Random, { port, valid }: Credentials, isLast: boolean) => {
  const route = dice.pick(routes)
  const method = dice.int(12) === 0 ? dice.pick(methods) : route.method
  const target = targetOf(method, route.path, dice)
  const wantsBody = !["GET", "HEAD"].includes(method) || dice.int(20) === 0
  const body = wantsBody ? bodyOf(dice) : plain(Buffer.alloc(0))
  const frame = isLast
    ? framed(body.bytes, method, dice)
    : { line: `Content-Length: ${body.bytes.length}\r\n`, bytes: body.bytes, malformed: false, short: false }
  const sent: Array<readonly [string, string]> = [
    ["Host", dice.int(60) === 0 ? dice.pick(["example.com", "", "127.0.0.1:1"]) : `127.0.0.1:${port}`],
    ...body.headers,
  ]
  if (dice.int(8) !== 0) sent.push(["Content-Type", dice.pick(contentTypes)])
  if (valid.length > 0 && dice.int(8) !== 0) sent.push(["Authorization", `Bearer ${dice.pick(valid)}`])
  else if (dice.int(8) === 0)
    sent.push([
      "Authorization",
      dice.pick(["Bearer mf_odd", "Basic YTpi", "Bearer", "Bearer a.b.c", `Bearer ${"x".repeat(3000)}`]),
    ])
  for (let more = dice.int(4); more > 0; more--) if (dice.int(2) === 0) sent.push(dice.pick(headers))
  if (dice.int(300) === 0) for (let index = 0; index < 3000; index++) sent.push([`x-${index}`, "y"])
  if (isLast) sent.push(["Connection", "close"])
  const lines = sent.map(([name, value]) => `${name}: ${value}\r\n`).join("")
  const head = Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines}${frame.line}\r\n`, "latin1")
  // Node's parser refuses these itself, or takes the connection for another protocol.
  const unusual =
    /[\u0080-\uffff]/.test(lines) || !/^[A-Z]+$/.test(method) || ["ODD", "CONNECT"].includes(method)
  return {
    method,
    target,
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
export const fuzzRequest = (dice: Random, credentials: Credentials): FuzzRequest => {
  const count = dice.int(15) === 0 ? 2 + dice.int(4) : 1
  const requests = Array.from({ length: count }, (_, index) => one(dice, credentials, index === count - 1))
  const whole = Buffer.concat(requests.map(({ bytes }) => bytes))
  const told = requests.map(({ method, target }) => `${method} ${target.slice(0, 200)}`).join(" + ")
  const shared = {
    told,
    paths: requests.map(({ target }) => target),
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
