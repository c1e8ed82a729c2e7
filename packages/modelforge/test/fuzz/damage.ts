/** What can be wrong with a request that was right: its path, its body, and how the end of the body is told. */
import { deflateSync, gzipSync } from "node:zlib"
import type { Random } from "../../../core/test/random.ts"
import { changing, fill, type Pairs, stable, type ValidRequest } from "./FuzzWorld.ts"
import { mutate, segments, wild } from "./hostileText.ts"
import type { Body } from "./validBodies.ts"

export const flipped = (bytes: Uint8Array, dice: Random): Buffer => {
  const copy = Buffer.from(bytes)
  for (let flips = 1 + dice.int(4); flips > 0 && copy.length > 0; flips--)
    copy[dice.int(copy.length)] = dice.int(256)
  return copy
}

/** Nothing that is asked for predictions is to be taken away. */
const isDestructive = (method: string, path: string) =>
  method !== "GET" && !/\/(?:infer|predict|index|login)$/.test(path)

export const damagedPath = ({ operation: { method, path }, params }: ValidRequest, dice: Random): string => {
  const filled = fill(path, params)
  switch (dice.int(8)) {
    case 0:
      return `${filled}/${dice.pick(segments)}`
    case 1:
      return `//${filled}`
    case 2:
      return `${filled}/`
    case 3:
      return `/${dice.pick(segments)}/${dice.pick(segments)}`
    case 4:
      return filled.toUpperCase()
    default: {
      const names = Object.keys(params).filter((name) => path.includes(`{${name}}`))
      const replaced = names.length === 0 ? "" : dice.pick(names)
      const segment = dice.pick(segments)
      const safe = segment === stable && isDestructive(method, path) ? changing : segment
      return fill(path, { ...params, [replaced]: safe })
    }
  }
}

/** Members and elements of a value, with what leads to them. */
const places = (value: unknown): ReadonlyArray<ReadonlyArray<string>> =>
  typeof value === "object" && value !== null
    ? Object.entries(value).flatMap(([key, inner]) => [[key], ...places(inner).map((path) => [key, ...path])])
    : []

const odd: ReadonlyArray<unknown> = [
  null,
  true,
  "",
  "x",
  "\u0000",
  "\ud800",
  -1,
  0,
  1.5,
  1e308,
  2 ** 53,
  [],
  {},
  [[]],
  [null],
  { x: 1 },
  "x".repeat(5000),
  Array.from({ length: 300 }, () => "a"),
]

/** The text of a JSON value, one place of which holds something else, is missing, or has a neighbour. */
const changedAt = (json: string, dice: Random): string => {
  const value: unknown = JSON.parse(json)
  const all = places(value).slice(0, 200)
  if (all.length === 0) return json
  const path = dice.pick(all)
  const how = dice.int(4)
  const change = (at: unknown, [key = "", ...rest]: ReadonlyArray<string>): unknown => {
    if (typeof at !== "object" || at === null) return at
    const entries = Object.entries(at).flatMap(([name, inner]): ReadonlyArray<readonly [string, unknown]> => {
      if (name !== key) return [[name, inner]]
      if (rest.length > 0) return [[name, change(inner, rest)]]
      if (how === 0) return []
      if (how === 1)
        return [
          [name, inner],
          [dice.pick(["__proto__", "more", ""]), inner],
        ]
      return [[name, dice.pick(odd)]]
    })
    return Array.isArray(at) ? entries.map(([, inner]) => inner) : Object.fromEntries(entries)
  }
  return JSON.stringify(change(value, path))
}

interface Content {
  readonly bytes: Buffer
  readonly headers: Pairs
}

export const plain = (bytes: Buffer): Content => ({ bytes, headers: [] })

/** A body that was right, or none. */
export const damagedBody = (body: Body | undefined, dice: Random): Content => {
  const bytes = body?.bytes ?? Buffer.alloc(0)
  const json = body?.json ?? '{"a":1}'
  switch (dice.int(12)) {
    case 0:
    case 1:
    case 2:
      return plain(Buffer.from(changedAt(json, dice)))
    case 3:
    case 4:
      return plain(Buffer.from(mutate(json, dice)))
    case 5:
      return plain(flipped(bytes, dice))
    case 6:
      return plain(bytes.subarray(0, dice.int(bytes.length + 1)))
    case 7:
      return {
        bytes: Buffer.concat([bytes, bytes.subarray(0, dice.int(20))]),
        headers: [
          ["inference-header-content-length", String(dice.pick([bytes.length, bytes.length - 1, 0, 3]))],
        ],
      }
    case 8: {
      const [coding, compress] = dice.pick([
        ["gzip", gzipSync],
        ["deflate", deflateSync],
      ] as const)
      const whole = compress(bytes)
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
    default:
      return plain(dice.int(10) === 0 ? large(dice) : Buffer.from(dice.pick(wild)))
  }
}

/** More than what is parsed at once. */
const large = (dice: Random) =>
  Buffer.from(
    `{"inputs":[{"name":"x","datatype":"FP32","shape":[100000,2],"data":[${"1.25,".repeat(199_999)}${dice.pick(["1", "x", ""])}]}]}`,
  )

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
export const framed = (bytes: Buffer, method: string, dice: Random) => {
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
