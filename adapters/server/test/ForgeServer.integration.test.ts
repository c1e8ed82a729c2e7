import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, FileSystem } from "effect"
import { endpoints } from "../../../packages/http/test/endpoints.ts"
import { isProblem } from "../../../packages/http/test/handlers/problems.ts"
import { onnx, upload, withModel } from "../../../packages/http/test/Mount.ts"
import { ListenFailed } from "../src/index.ts"
import { anyPort, predict, request, startServer, Wire } from "./TestServer.ts"

const socketPath = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  return `${yield* fs.makeTempDirectoryScoped({ prefix: "mf-" })}/door`
}).pipe(Effect.provide(NodeServices.layer))

const modeOf = (path: string) =>
  Effect.map(
    FileSystem.FileSystem.use((fs) => fs.stat(path)),
    ({ mode }) => mode & 0o777,
  ).pipe(Effect.provide(NodeServices.layer))

describe("listening", () => {
  it.effect("is on every address, and then the server is ready", () =>
    Effect.gen(function* () {
      const path = yield* socketPath
      const server = yield* startServer({ listen: [anyPort, anyPort, { socketPath: path }] })
      const [first = 0, second = 0, unix] = server.ports
      assert.isAbove(first, 0)
      assert.isAbove(second, 0)
      assert.notStrictEqual(first, second)
      assert.strictEqual(unix, 0)
      for (const target of [{ port: first }, { port: second }, { path }]) {
        const wire = yield* Wire.open(target)
        wire.send(request("GET /readyz", { connection: "close" }))
        assert.match(yield* wire.ended, /^HTTP\/1\.1 200 OK\r\n[\s\S]*"state":"ready"/)
      }
    }),
  )

  it.effect("fails with what to do when the port is taken, and gives back the other addresses", () =>
    Effect.gen(function* () {
      const { port } = yield* startServer()
      const path = yield* socketPath
      const taken = { host: "127.0.0.1", port }
      const error = yield* Effect.flip(startServer({ listen: [{ socketPath: path }, taken] }))
      assert.instanceOf(error, ListenFailed)
      assert.strictEqual(
        error.message,
        `The server can't listen on 127.0.0.1:${port}: another program listens there: stop it, or choose another port with --port`,
      )
      assert.isTrue((yield* Effect.result(Wire.open({ path })))._tag === "Failure")
    }),
  )

  it.effect("fails with what to do when the address is not this machine's", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(startServer({ listen: [{ host: "192.0.2.1", port: 0 }] }))
      assert.strictEqual(
        error.message,
        "The server can't listen on 192.0.2.1:0: this machine has no such address: choose another with --host",
      )
    }),
  )

  it("says what to do about each code, and shows the code when it does not know", () => {
    const message = (code: string) => new ListenFailed({ address: "a:1", code }).message
    assert.include(message("EACCES"), "this user may not listen there")
    assert.include(message("ENOTFOUND"), "this machine has no such address")
    assert.strictEqual(message("EWEIRD"), "The server can't listen on a:1: EWEIRD")
  })

  it.effect("shows IPv6 addresses as URLs do, and a Unix socket without its path", () =>
    Effect.gen(function* () {
      const ipv6 = yield* Effect.flip(startServer({ listen: [{ host: "2001:db8::1", port: 80 }] }))
      assert.include(ipv6.message, "[2001:db8::1]:80")
      const path = yield* socketPath
      const unix = yield* Effect.flip(startServer({ listen: [{ socketPath: `${path}/missing/door` }] }))
      assert.match(unix.message, /^The server can't listen on its Unix socket: its folder does not exist/)
      const long = yield* Effect.flip(startServer({ listen: [{ socketPath: path + "x".repeat(200) }] }))
      assert.match(long.message, /its path is too long/)
    }),
  )
})

describe("a Unix socket", () => {
  it.effect("is its owner's only, and goes with the server", () =>
    Effect.gen(function* () {
      const path = yield* socketPath
      const server = yield* startServer({ listen: [{ socketPath: path }] })
      assert.strictEqual(yield* modeOf(path), 0o600)
      yield* server.stop
      assert.strictEqual((yield* Effect.result(modeOf(path)))._tag, "Failure")
    }),
  )

  it.effect("takes the place of a file that a dead server left", () =>
    Effect.gen(function* () {
      const path = yield* socketPath
      yield* FileSystem.FileSystem.use((fs) => fs.writeFileString(path, "stale")).pipe(
        Effect.provide(NodeServices.layer),
      )
      yield* startServer({ listen: [{ socketPath: path }] })
      const wire = yield* Wire.open({ path })
      wire.send(request("GET /healthz", { connection: "close" }))
      assert.match(yield* wire.ended, /^HTTP\/1\.1 200/)
      assert.strictEqual(yield* modeOf(path), 0o600)
    }),
  )

  it.effect("is guarded by its permissions, not by headers", () =>
    Effect.gen(function* () {
      const path = yield* socketPath
      yield* startServer({ listen: [{ socketPath: path }] })
      const wire = yield* Wire.open({ path })
      wire.send(request("GET /v1/models", { host: "anything", connection: "close" }))
      assert.match(yield* wire.ended, /^HTTP\/1\.1 200/)
    }),
  )
})

describe("the guard", () => {
  const others = ["/nowhere", "/v1/nowhere", "/v2/nowhere", "/", "//v1/models", "/v1/models/%zz", "*"]

  it.effect("stands before every path, known or not", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      yield* withModel(server, "digits")
      const targets = [...endpoints, ...others.map((path) => ({ method: "GET", path }))]
      for (const { method, path } of targets) {
        const wire = yield* Wire.open(server)
        wire.send(request(`${method} ${path}`, { host: "evil.example" }, method === "GET" ? "" : "{}"))
        const answer = yield* wire.until(/Host header names another/)
        const type = path.startsWith("/v2") ? "json" : "problem\\+json"
        assert.match(
          answer,
          new RegExp(`^HTTP/1\\.1 403 Forbidden\r\n[\\s\\S]*\r\ncontent-type: application/${type}\r\n`),
          path,
        )
        assert.include(answer, "the Host header names another")
      }
      assert.strictEqual((yield* server.call("/v1/models/digits/versions/1")).status, 200)
    }),
  )
})

describe("what is not HTTP", () => {
  it.effect("is answered with 400 and the end of the connection", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      for (const text of [
        "hello\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nhost: localhost\r\nbad header\r\n\r\n",
        request("POST /v1/models", { "content-length": "2", "transfer-encoding": "chunked" }),
        request("POST /v1/models", { "content-length": "x" }),
        "GET /healthz HTTP/1.1\r\n\r\n", // HTTP/1.1 without a Host
      ]) {
        const wire = yield* Wire.open(server)
        wire.send(text)
        assert.match(yield* wire.ended, /^HTTP\/1\.1 400 Bad Request\r\n[\s\S]*connection: close/i, text)
      }
      const large = yield* Wire.open(server)
      large.send(request("GET /healthz", { "x-large": "x".repeat(20_000) }))
      assert.match(yield* large.ended, /^HTTP\/1\.1 431 /)
      assert.strictEqual((yield* server.call("/healthz")).status, 200)
    }),
  )
})

const predictInit = {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ inputs: { x: [[1, 2]] } }),
}

describe("more than may wait", () => {
  it.effect("is sent away at once, on a connection that is kept, until there is room again", () =>
    Effect.gen(function* () {
      const server = yield* startServer({}, { maxModelRequests: 1 })
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
      wire.send(predict())
      const refusal = yield* wire.until(/under way/)
      assert.match(refusal, /^HTTP\/1\.1 503 /)
      assert.match(refusal, /\r\nretry-after: \d+\r\n/i)
      assert.notMatch(refusal, /connection: close/i)
      held.resolve()
      assert.strictEqual((yield* Fiber.join(first)).status, 200)
      wire.send(predict())
      assert.match(yield* wire.until(/"outputs"/), /HTTP\/1\.1 200 OK/)
    }),
  )
})

describe("a caller who leaves", () => {
  it.effect("takes the waiting prediction along", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      yield* withModel(server, "digits")
      yield* server.call("/v1/models/digits/predict", predictInit)
      // Two runs are held, as many as the model takes at once; the third request has to wait.
      const held = Promise.withResolvers<void>()
      const { run } = server.forge
      let runs = 0
      server.forge.run = async (...args) => {
        runs++
        await held.promise
        return run(...args)
      }
      const first = yield* Effect.forkChild(server.call("/v1/models/digits/predict", predictInit))
      const second = yield* Effect.forkChild(server.call("/v1/models/digits/predict", predictInit))
      while (runs < 2) yield* server.call("/healthz")
      const wire = yield* Wire.open(server)
      wire.send(predict())
      yield* server.call("/healthz")
      wire.socket.destroy()
      yield* wire.ended
      yield* server.call("/healthz")
      held.resolve()
      yield* Fiber.join(first)
      yield* Fiber.join(second)
      yield* server.call("/healthz")
      assert.strictEqual(runs, 2)
      assert.notInclude(server.forge.logs.join(), "unexpectedly")
    }),
  )

  it.effect("in the middle of a body runs nothing", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      yield* withModel(server, "digits")
      let runs = 0
      server.forge.run = async () => {
        runs++
        return { outputs: {}, queueMs: 0, computeMs: 0 }
      }
      for (const end of ["destroy", "end"] as const) {
        const wire = yield* Wire.open(server)
        wire.send(predict().slice(0, -5))
        wire.socket[end]()
        yield* wire.ended
      }
      yield* server.call("/healthz")
      assert.strictEqual(runs, 0)
    }),
  )

  it.effect("in the middle of an upload leaves nothing, however it was sent", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const staged = Effect.promise(() => server.forge.files())
      const path = "POST /v1/models/digits/versions?create=true"
      const part = 'content-disposition: form-data; name="file"; filename="m"\r\n\r\n'
      for (const begun of [
        request(path, { "content-type": "application/octet-stream", "content-length": "5000" }) + onnx(),
        request(path, { "content-type": "application/octet-stream", "transfer-encoding": "chunked" }) +
          `ff\r\n${onnx()}`,
        request(path, { "content-type": "multipart/form-data; boundary=b", "content-length": "5000" }) +
          `--b\r\n${part}${onnx()}`,
      ]) {
        const wire = yield* Wire.open(server)
        wire.send(begun)
        while ((yield* staged).staging.length === 0) yield* Effect.yieldNow
        wire.socket.destroy()
        while ((yield* staged).staging.length > 0) yield* Effect.yieldNow
      }
      assert.deepStrictEqual(yield* staged, { staging: [], stored: [] })
      assert.strictEqual((yield* server.call("/v1/models/digits")).status, 404)
    }),
  )
})

describe("large bodies", () => {
  it.effect("without a length are refused at the limit, and the connection ends", () =>
    Effect.gen(function* () {
      const server = yield* startServer({}, { maxRequestBytes: 1000 })
      yield* withModel(server, "digits")
      for (const target of ["/v1/models/digits/predict", "/v2/models/digits/infer"]) {
        const wire = yield* Wire.open(server)
        wire.send(request(`POST ${target}`, { "transfer-encoding": "chunked" }))
        // The body has no end: the answer comes without one.
        wire.send(`7d0\r\n${"x".repeat(2000)}\r\n`)
        const answer = yield* wire.ended
        assert.match(answer, /^HTTP\/1\.1 413 Payload Too Large\r\n/)
        assert.match(answer, /\r\nconnection: close\r\n/i)
      }
    }),
  )

  it.effect("that announce themselves are refused before they are sent", () =>
    Effect.gen(function* () {
      const server = yield* startServer({}, { maxRequestBytes: 1000, maxArtifactBytes: 1000 })
      const wire = yield* Wire.open(server)
      wire.send(request("POST /v1/models/digits/predict", { "content-length": "1001" }))
      assert.match(yield* wire.ended, /^HTTP\/1\.1 413 [\s\S]*"limit":1000/)
    }),
  )
})

describe("downloads", () => {
  const size = 64_000_000

  const withLargeModel = Effect.fnUntraced(function* () {
    const server = yield* startServer()
    const bytes = Buffer.alloc(size, "x")
    bytes.write(onnx())
    const made = yield* server.call("/v1/models/digits/versions?create=true", upload(new Uint8Array(bytes)))
    assert.strictEqual(made.status, 201, made.text)
    return server
  })
  const download = request("GET /v1/models/digits/versions/1/artifact", { connection: "close" })

  it.effect("go no faster than their reader", () =>
    Effect.gen(function* () {
      const server = yield* withLargeModel()
      const wire = yield* Wire.open(server)
      wire.send(download)
      yield* wire.until(/\r\n\r\n/)
      wire.socket.pause()
      // Until nothing more is read while the server answers others.
      let before = -1
      while (before !== server.forge.downloaded) {
        before = server.forge.downloaded
        for (let turns = 0; turns < 20; turns++) yield* server.call("/healthz")
      }
      assert.isBelow(server.forge.downloaded, size / 2)
      wire.socket.resume()
      const answer = yield* wire.ended
      assert.strictEqual(answer.length - (answer.indexOf("\r\n\r\n") + 4), size)
    }),
  )

  it.effect("never hold another answer: what is not HTTP cuts them", () =>
    Effect.gen(function* () {
      const server = yield* withLargeModel()
      const wire = yield* Wire.open(server)
      wire.send(request("GET /v1/models/digits/versions/1/artifact"))
      yield* wire.until(/\r\n\r\n/)
      wire.send("what is this\r\n\r\n")
      const answer = yield* wire.ended
      assert.isBelow(answer.length, size)
      assert.notInclude(answer, "400 Bad Request")
    }),
  )

  it.effect("that break off in the middle do not look whole, and are logged", () =>
    Effect.gen(function* () {
      const server = yield* withLargeModel()
      server.forge.downloadable = size / 2
      const wire = yield* Wire.open(server)
      wire.send(download)
      assert.isBelow((yield* wire.ended).length, size)
      assert.match(server.forge.logs.join(), /A download broke off/)
    }),
  )

  it.effect("of an artifact that is gone are refused, and logged", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      yield* withModel(server, "digits")
      yield* FileSystem.FileSystem.use((fs) =>
        fs.remove(`${server.forge.directory}/sha256`, { recursive: true }),
      ).pipe(Effect.provide(NodeServices.layer))
      isProblem(yield* server.call("/v1/models/digits/versions/1/artifact"), 503, "unavailable")
      assert.match(server.forge.logs.join(), /storage failed in "read the artifact"/)
    }),
  )

  it.effect("stop when their reader leaves", () =>
    Effect.gen(function* () {
      const server = yield* withLargeModel()
      const wire = yield* Wire.open(server)
      wire.send(download)
      yield* wire.until(/\r\n\r\n/)
      wire.socket.destroy()
      yield* server.stop
      assert.isBelow(server.forge.downloaded, size)
    }),
  )
})
