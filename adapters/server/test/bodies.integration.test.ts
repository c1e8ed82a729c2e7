import { gzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { json, withModel } from "../../../packages/http/test/Mount.ts"
import { request, startServer, Wire } from "./TestServer.ts"

const predictInit = json({ inputs: { x: [[1, 2]] } })

/** Asks for outputs as bytes, which the caller may or may not go on to read. */
const askForBytes = (wire: Wire) => {
  wire.send(
    request(
      "POST /v2/models/digits/infer",
      {},
      JSON.stringify({
        inputs: [{ name: "x", datatype: "FP32", shape: [1, 2], data: [1, 2] }],
        parameters: { binary_data_output: true },
      }),
    ),
  )
}

describe("large answers", () => {
  const elements = 8_000_000
  const open = Effect.gen(function* () {
    const server = yield* startServer({}, { maxModelRequests: 1 })
    yield* withModel(server, "digits")
    const data = new Float32Array(elements).fill(0.5)
    data[elements - 1] = 42
    server.forge.run = async () => ({
      outputs: { x_out: { datatype: "FP32", shape: [elements / 2, 2], data } },
      queueMs: 0,
      computeMs: 0,
    })
    return server
  })

  it.effect("come whole, with their length, on a connection that is kept", () =>
    Effect.gen(function* () {
      const server = yield* open
      for (let times = 0; times < 2; times++) {
        const response = yield* Effect.promise(() =>
          server.fetch("/v2/models/digits/infer", {
            method: "POST",
            body: JSON.stringify({
              inputs: [{ name: "x", datatype: "FP32", shape: [1, 2], data: [1, 2] }],
              parameters: { binary_data_output: true },
            }),
          }),
        )
        const json = Number(response.headers.get("inference-header-content-length"))
        assert.strictEqual(Number(response.headers.get("content-length")), json + 4 * elements)
        assert.notStrictEqual(response.headers.get("connection"), "close")
        const bytes = yield* Effect.promise(() => response.arrayBuffer())
        assert.deepStrictEqual(new Float32Array(bytes.slice(json)).subarray(-2), Float32Array.of(0.5, 42))
      }
    }),
  )

  it.effect("keep their place until they are read, or their reader has left", () =>
    Effect.gen(function* () {
      const server = yield* open
      const wire = yield* Wire.open(server)
      askForBytes(wire)
      yield* wire.until(/^HTTP\/1\.1 200 OK/)
      wire.socket.pause()
      assert.strictEqual((yield* server.call("/v1/models/digits/predict", predictInit)).status, 503)
      wire.socket.destroy()
      server.forge.run = async () => ({
        outputs: { x_out: { datatype: "FP32", shape: [1, 2], data: Float32Array.of(1, 2) } },
        queueMs: 0,
        computeMs: 0,
      })
      const answered = server
        .call("/v1/models/digits/predict", predictInit)
        .pipe(Effect.map(({ status }) => status === 200))
      while (!(yield* answered)) yield* Effect.yieldNow
    }),
  )
})

describe("a compressed body", () => {
  const zipped = (bytes: number) => gzipSync(Buffer.alloc(bytes, " ")).toString("latin1")
  const infer = (body: string) =>
    request("POST /v2/models/digits/infer", { "content-encoding": "gzip" }, body)

  it.effect("that becomes too large is refused, on a connection that is kept", () =>
    Effect.gen(function* () {
      const server = yield* startServer({}, { maxRequestBytes: 100_000 })
      yield* withModel(server, "digits")
      const wire = yield* Wire.open(server)
      wire.send(infer(zipped(20_000_000)))
      assert.match(yield* wire.until(/larger than/), /^HTTP\/1\.1 413 /)
      wire.send(request("GET /healthz"))
      yield* wire.until(/HTTP\/1\.1 200 OK/)
    }),
  )

  it.effect("takes the place that its bytes need, or is told to come back", () =>
    Effect.gen(function* () {
      const server = yield* startServer({}, { maxModelRequestBytes: 1_000_000 })
      yield* withModel(server, "digits")
      yield* server.call("/v1/models/digits/predict", predictInit)
      const held = Promise.withResolvers<void>()
      const { run } = server.forge
      let runs = 0
      server.forge.run = async (...args) => {
        runs++
        await held.promise
        return run(...args)
      }
      const first = yield* Effect.forkChild(server.call("/v1/models/digits/predict", predictInit))
      while (runs < 1) yield* server.call("/healthz")
      const wire = yield* Wire.open(server)
      wire.send(infer(zipped(5_000_000)))
      assert.match(yield* wire.until(/too large/), /^HTTP\/1\.1 503 [\s\S]*retry-after: \d/i)
      held.resolve()
      assert.strictEqual((yield* Fiber.join(first)).status, 200)
      // Alone it may be decompressed, and is no JSON.
      wire.send(infer(zipped(5_000_000)))
      yield* wire.until(/HTTP\/1\.1 400 /)
    }),
  )
})
