import { createHash } from "node:crypto"
import { readdirSync, readFileSync } from "node:fs"
import { request } from "node:http"
import { assert, describe, it } from "@effect/vitest"
import { exampleModels } from "@modelforge/example-models"
import { Effect, Fiber, Schema } from "effect"
import { eventually } from "../../../postgres/test/embedded/harness.ts"
import { type RunningServer, residentMiB, sharedServer } from "./command.ts"
import { get, predict, type Target, upload } from "./http.ts"
import { largeModel, megabyte } from "./largeModel.ts"

const server = sharedServer({})

const staging = ({ folder }: RunningServer) => readdirSync(`${folder}/.modelforge/artifacts/staging`)
const artifacts = ({ folder }: RunningServer) =>
  readdirSync(`${folder}/.modelforge/artifacts/sha256`, { recursive: true }).length

const files = exampleModels.map(({ file }) => readFileSync(file))
const [digits = Buffer.alloc(0)] = files

/** Every refusal: the status, a problem that says why, and nothing left of the upload. */
const assertRefused = Effect.fnUntraced(function* (
  server: RunningServer,
  body: Uint8Array | AsyncIterable<Uint8Array>,
  expected: { readonly status: number; readonly code?: string; readonly detail: RegExp },
  headers: Readonly<Record<string, string>> = {},
) {
  const before = artifacts(server)
  const answer = yield* upload(server.target, "refused", body, headers)
  const text = answer.bytes.toString()
  assert.strictEqual(answer.status, expected.status, text)
  assert.strictEqual(answer.headers["content-type"], "application/problem+json", text)
  const problem = asProblem(answer.json)
  assert.match(problem.detail, expected.detail)
  assert.strictEqual(problem.code, expected.code)
  assert.strictEqual((yield* get(server.target, "/v1/models/refused")).status, 404)
  yield* eventually("nothing is staged", () => staging(server).length === 0)
  assert.strictEqual(artifacts(server), before)
})

const asProblem = Schema.decodeUnknownSync(
  Schema.Struct({ detail: Schema.String, code: Schema.optionalKey(Schema.String) }),
)

describe("files that are no models", () => {
  const png = Buffer.from(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
    "base64",
  )

  it.live("an empty file is refused", () =>
    Effect.gen(function* () {
      yield* assertRefused(yield* server, new Uint8Array(), { status: 422, code: "empty", detail: /empty/ })
    }),
  )

  it.live("a PNG is recognised, whatever its name", () =>
    Effect.gen(function* () {
      const running = yield* server
      yield* assertRefused(running, png, { status: 422, code: "not-onnx", detail: /PNG image/ })
      const { body, type } = form("file", "model.onnx", png)
      yield* assertRefused(
        running,
        body,
        { status: 422, code: "not-onnx", detail: /PNG image/ },
        { "content-type": type },
      )
    }),
  )

  it.live("a file cut short is refused", () =>
    Effect.gen(function* () {
      const cut = digits.subarray(0, digits.length - 1000)
      yield* assertRefused(yield* server, cut, { status: 422, code: "truncated", detail: /ends/ })
    }),
  )
})

const form = (field: string, name: string, bytes: Uint8Array) => {
  const boundary = "----modelforge"
  const head = `--${boundary}\r\ncontent-disposition: form-data; name="${field}"; filename="${name}"\r\ncontent-type: application/octet-stream\r\n\r\n`
  const body = Buffer.concat([Buffer.from(head), bytes, Buffer.from(`\r\n--${boundary}--\r\n`)])
  return { body, type: `multipart/form-data; boundary=${boundary}` }
}

describe("a limit on the size", () => {
  const limited = sharedServer({ args: ["--max-upload-bytes", "150000"] })

  const tooLarge = { status: 413, detail: /larger than the 150000 bytes/ } as const

  it.live("refuses a larger file with its length announced, and without", () =>
    Effect.gen(function* () {
      const running = yield* limited
      assert.isAbove(digits.length, 150_000)
      yield* assertRefused(running, digits, tooLarge)
      yield* assertRefused(running, pieces(digits, 1000), tooLarge)
      const { body, type } = form("file", "digits.onnx", digits)
      yield* assertRefused(running, body, tooLarge, { "content-type": type })
    }),
  )

  it.live("takes smaller ones as before", () =>
    Effect.gen(function* () {
      const { target } = yield* limited
      const [, wine = Buffer.alloc(0)] = files
      const answer = yield* upload(target, "wine", wine)
      assert.strictEqual(answer.status, 201)
      yield* predict(target, "wine", { features: [Array.from({ length: 13 }, () => 1)] })
    }),
  )
})

async function* pieces(bytes: Uint8Array, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

/** Looks at the server's memory all the while. */
const withPeakMemory = Effect.fnUntraced(function* <A, E>(pid: number, during: Effect.Effect<A, E>) {
  const before = residentMiB(pid)
  let peak = before
  const watch = Effect.sync(() => {
    peak = Math.max(peak, residentMiB(pid))
  }).pipe(Effect.andThen(Effect.sleep("20 millis")), Effect.forever)
  const result = yield* Effect.raceFirst(during, watch)
  return { result, grown: peak - before }
})

describe("large files", () => {
  /** What V8 lets buffers come to before it takes them away (ADR 23), whatever the size of the file. */
  const allowedMiB = 180

  it.live("a gigabyte of zeros is refused without being held", () =>
    Effect.gen(function* () {
      const { pid, target } = yield* server
      let sent = 0
      const zeros = async function* () {
        for (; sent < 1024; sent++) yield megabyte
      }
      const { result, grown } = yield* withPeakMemory(pid, upload(target, "zeros", zeros()))
      assert.strictEqual(result.status, 422, result.bytes.toString())
      assert.isBelow(grown, allowedMiB)
      assert.isBelow(sent, 64, "refused by its first bytes, not by its last")
    }),
  )

  it.live("a model of 600 MB is taken without being held, and answers", () =>
    Effect.gen(function* () {
      const { pid, target, folder } = yield* server
      const body = async function* () {
        yield* largeModel(600)
      }
      const { result, grown } = yield* withPeakMemory(pid, upload(target, "large", body()))
      assert.strictEqual(result.status, 201, result.bytes.toString())
      assert.isBelow(grown, allowedMiB)
      const hash = createHash("sha256")
      for (const piece of largeModel(600)) hash.update(piece)
      assert.deepInclude(result.json, { state: "ready", digest: hash.digest("hex") })
      assert.deepStrictEqual((yield* predict(target, "large", {})).outputs, { y: [600 * megabyte.length] })
      assert.deepStrictEqual(readdirSync(`${folder}/.modelforge/artifacts/staging`), [])
    }),
  )
})

/** Sends the head and half of a file, and leaves once the server has some of it. */
const leaveHalfway = (running: RunningServer, target: Target) =>
  Effect.gen(function* () {
    const sent = Effect.callback<never>(() => {
      const half = request({
        host: "127.0.0.1",
        ...target,
        method: "POST",
        path: "/v1/models/left/versions?create=true",
        headers: { "content-type": "application/octet-stream", "content-length": digits.length },
      })
      half.on("error", () => {})
      half.write(digits.subarray(0, digits.length / 2))
      return Effect.sync(() => half.destroy())
    })
    const fiber = yield* Effect.forkChild(sent)
    yield* eventually("the upload is staged", () => staging(running).length === 1)
    yield* Fiber.interrupt(fiber)
  })

it.live("a client that leaves in the middle leaves nothing", () =>
  Effect.gen(function* () {
    const running = yield* server
    const before = artifacts(running)
    for (let round = 0; round < 5; round++) {
      yield* leaveHalfway(running, running.target)
      yield* eventually("nothing is staged", () => staging(running).length === 0)
    }
    assert.strictEqual(artifacts(running), before)
    assert.strictEqual((yield* get(running.target, "/v1/models/left")).status, 404)
    const whole = yield* upload(running.target, "left", digits)
    assert.deepInclude(whole.json, { version: 1, state: "ready" })
  }),
)

it.live("an announced digest is held against the bytes", () =>
  Effect.gen(function* () {
    const running = yield* server
    const digest = createHash("sha256").update("something else").digest("base64")
    yield* assertRefused(
      running,
      digits,
      { status: 400, detail: /not the announced/ },
      { "content-digest": `sha-256=:${digest}:` },
    )
  }),
)
