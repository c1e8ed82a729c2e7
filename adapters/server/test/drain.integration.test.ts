import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { onnx, upload, withModel } from "../../../packages/http/test/Mount.ts"
import { anyPort, predict, request, startServer, Wire } from "./TestServer.ts"

/** A server on which a prediction runs until it is told to end. */
const withRun = Effect.fnUntraced(function* (options: Parameters<typeof startServer>[0] = {}) {
  const server = yield* startServer(options)
  yield* withModel(server, "digits")
  const started = yield* Deferred.make<void>()
  const { promise, resolve } = Promise.withResolvers<void>()
  const { run } = server.forge
  server.forge.run = async (...args) => {
    Effect.runSync(Deferred.succeed(started, undefined))
    await promise
    return run(...args)
  }
  return { ...server, started: Deferred.await(started), finish: resolve }
})

/** Starts the drain, and waits until the server does not listen any more. */
const beginDrain = Effect.fnUntraced(function* ({ stop, port }: { stop: Effect.Effect<void>; port: number }) {
  const stopping = yield* Effect.forkChild(stop)
  yield* refusesConnections({ port })
  return stopping
})

const refusesConnections = Effect.fnUntraced(function* (target: Parameters<typeof Wire.open>[0]) {
  for (;;) {
    const attempt = yield* Effect.result(Effect.scoped(Wire.open(target)))
    if (attempt._tag === "Failure") return
    yield* Effect.yieldNow
  }
})

describe("draining", () => {
  it.effect("finishes a request under way, tells its connection to close, and takes no new ones", () =>
    Effect.gen(function* () {
      const server = yield* withRun()
      const wire = yield* Wire.open(server)
      wire.send(predict())
      yield* server.started
      const stopping = yield* beginDrain(server)
      assert.strictEqual((yield* server.readiness.get).state, "draining")
      server.finish()
      const answer = yield* wire.ended
      assert.match(answer, /^HTTP\/1\.1 200 OK\r\n/)
      assert.match(answer, /\r\nconnection: close\r\n/i)
      assert.include(answer, '"outputs":{"x_out":[[1,2]]}')
      yield* Fiber.join(stopping)
    }),
  )

  it.effect("closes connections that are only kept alive at once", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const used = yield* Wire.open(server)
      used.send(request("GET /healthz"))
      yield* used.until(/"ok":true/)
      const unused = yield* Wire.open(server)
      yield* server.stop
      assert.match(yield* used.ended, /^HTTP\/1\.1 200 OK/)
      assert.strictEqual(yield* unused.ended, "")
    }),
  )

  it.effect("answers every request that a connection has sent, and then closes it", () =>
    Effect.gen(function* () {
      const server = yield* withRun()
      const wire = yield* Wire.open(server)
      wire.send(predict() + predict() + predict())
      yield* server.started
      const stopping = yield* beginDrain(server)
      server.finish()
      const answers = yield* wire.ended
      assert.strictEqual(answers.match(/HTTP\/1\.1 200 OK/g)?.length, 3)
      assert.strictEqual(answers.match(/connection: close/gi)?.length, 1)
      // No time passes here: nothing waited for a timeout.
      yield* Fiber.join(stopping)
    }),
  )

  it.effect("closes a connection whose answer had promised to keep it", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      yield* server.call(
        "/v1/models/digits/versions?create=true",
        upload(`${onnx()}${"x".repeat(20_000_000)}`),
      )
      const wire = yield* Wire.open(server)
      wire.send(request("GET /v1/models/digits/versions/1/artifact"))
      assert.match(yield* wire.until(/\r\n\r\n/), /connection: keep-alive/i)
      wire.socket.pause()
      const stopping = yield* beginDrain(server)
      wire.socket.resume()
      assert.isAbove((yield* wire.ended).length, 20_000_000)
      yield* Fiber.join(stopping)
    }),
  )

  it.effect("lets an upload that has begun come to its end", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const wire = yield* Wire.open(server)
      const file = onnx()
      const headers = { "content-type": "application/octet-stream", "content-length": String(file.length) }
      wire.send(request("POST /v1/models/digits/versions?create=true", headers) + file.slice(0, 6))
      while ((yield* Effect.promise(() => server.forge.files())).staging.length === 0) yield* Effect.yieldNow
      const stopping = yield* beginDrain(server)
      wire.send(file.slice(6))
      const answer = yield* wire.ended
      assert.match(answer, /^HTTP\/1\.1 201 Created/)
      assert.match(answer, /connection: close/i)
      yield* Fiber.join(stopping)
    }),
  )

  it.effect("does not cut an answer that is written but not sent yet", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      yield* withModel(server, "digits")
      const size = 30_000_000
      const data = [new Uint8Array(size).fill(120)]
      server.forge.run = async () => ({
        outputs: { x_out: { datatype: "BYTES", shape: [], data } },
        queueMs: 0,
        computeMs: 0,
      })
      const wire = yield* Wire.open(server)
      wire.send(predict())
      const head = yield* wire.until(/\r\n\r\n/)
      wire.socket.pause()
      const stopping = yield* beginDrain(server)
      wire.socket.resume()
      const answer = yield* wire.ended
      yield* Fiber.join(stopping)
      const length = Number(/content-length: (\d+)/i.exec(head)?.[1])
      assert.isAbove(length, size)
      assert.strictEqual(answer.length - (answer.indexOf("\r\n\r\n") + 4), length)
    }),
  )

  it.effect("cuts what is stuck when the time is over, not before", () =>
    Effect.gen(function* () {
      const server = yield* withRun({ drainTimeout: Effect.succeed("30 seconds" as const) })
      const wire = yield* Wire.open(server)
      wire.send(predict())
      yield* server.started
      const stopping = yield* beginDrain(server)
      yield* TestClock.adjust("29 seconds")
      assert.isUndefined(stopping.pollUnsafe())
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(stopping)
      assert.strictEqual(yield* wire.ended, "")
    }),
  )

  it.effect("gives ten seconds unless told otherwise, asked for when the server stops", () =>
    Effect.gen(function* () {
      const server = yield* withRun()
      const wire = yield* Wire.open(server)
      wire.send(predict())
      yield* server.started
      const stopping = yield* beginDrain(server)
      yield* TestClock.adjust("9 seconds")
      assert.isUndefined(stopping.pollUnsafe())
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(stopping)
    }),
  )

  it.effect("cuts a body that never ends", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const wire = yield* Wire.open(server)
      wire.send(request("POST /v1/models/digits/predict", { "content-length": "100" }))
      wire.send("{")
      yield* server.call("/healthz")
      const stopping = yield* beginDrain(server)
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(stopping)
      yield* wire.ended
    }),
  )

  it.effect("takes no new connections on any address while another one drains", () =>
    Effect.gen(function* () {
      const server = yield* withRun({ listen: [anyPort, anyPort] })
      const [port = 0, other = 0] = server.ports
      const wire = yield* Wire.open({ port: other })
      wire.send(predict())
      yield* server.started
      const stopping = yield* beginDrain(server)
      yield* refusesConnections({ port })
      yield* refusesConnections({ port: other })
      server.finish()
      yield* Fiber.join(stopping)
      assert.match(yield* wire.ended, /^HTTP\/1\.1 200 OK/)
    }),
  )
})
