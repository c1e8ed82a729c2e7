/** What every host that mounts ModelForge must answer. One cut through the contract; the details are tested once. */
import { assert, describe, it } from "@effect/vitest"
import type { Settings } from "@modelforge/core"
import { Effect, Fiber, type Scope } from "effect"
import { paths } from "./endpoints.ts"
import { body, isProblem, isV2Error } from "./handlers/problems.ts"
import { json, type Mount, onnx, upload, withModel } from "./Mount.ts"
import { secret } from "./TestForge.ts"

const predict = json({ inputs: { x: [[1, 2]] } })
const infer = json({ inputs: [{ name: "x", datatype: "FP32", shape: [1, 2], data: [1, 2] }] })

/** Paths that the data plane answers, or would. */
const isDataPlane = (path: string) => /\/(?:predict|infer)$/.test(path)

/** Far longer than anything here takes, also on a busy machine. */
const patienceMs = 30_000

/** Waits, asking again and again, while others have their turn. */
const until = (done: Effect.Effect<boolean>): Effect.Effect<void> =>
  Effect.gen(function* () {
    const end = performance.now() + patienceMs
    while (performance.now() < end) {
      if (yield* done) return
      yield* turn
    }
    return yield* Effect.die(new Error("it never came to that"))
  })

const turn = Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))

export const mountSuite = (
  host: string,
  open: (
    settings?: Partial<Pick<Settings, "maxRequestBytes" | "maxModelRequests">>,
  ) => Effect.Effect<Mount, never, Scope.Scope>,
) =>
  describe(`mounted on ${host}`, () => {
    it.effect("a model is uploaded, predicts on both planes, and comes back as it was", () =>
      Effect.gen(function* () {
        const mount = yield* open()
        const made = yield* mount.call("/v1/models/digits/versions?create=true", upload(onnx()))
        assert.strictEqual(made.status, 201, made.text)
        const answer = yield* mount.call("/v1/models/digits/predict", predict)
        assert.strictEqual(answer.status, 200, answer.text)
        assert.deepStrictEqual(body(answer)["outputs"], { x_out: [[1, 2]] })
        const answerV2 = yield* mount.call("/v2/models/digits/infer", infer)
        assert.deepStrictEqual(answerV2.json, {
          model_name: "digits",
          model_version: "1",
          outputs: [{ name: "x_out", datatype: "FP32", shape: [1, 2], data: [1, 2] }],
        })
        for (const { headers } of [answer, answerV2]) {
          assert.strictEqual(headers.get("content-type"), "application/json")
          assert.strictEqual(headers.get("modelforge-model-version"), "1")
          assert.strictEqual(headers.get("modelforge-cache"), "bypass")
          assert.match(
            headers.get("server-timing") ?? "",
            /^queue;dur=[\d.]+, compute;dur=[\d.]+, total;dur=[\d.]+$/,
          )
          assert.isAbove((headers.get("x-request-id") ?? "").length, 0)
        }
        const download = yield* mount.call("/v1/models/digits/versions/1/artifact")
        assert.strictEqual(download.text, onnx())
      }),
    )

    it.effect("a form with a file is an upload too", () =>
      Effect.gen(function* () {
        const { call } = yield* open()
        const form = new FormData()
        // Larger than a body of management may be.
        form.append("file", new Blob([onnx("text", "x".repeat(2 ** 21))]), "model.onnx")
        const made = yield* call("/v1/models/digits/versions?create=true", { method: "POST", body: form })
        assert.strictEqual(made.status, 201, made.text)
      }),
    )

    it.effect("a file in pieces is one too, each of which may be all there is of a connection", () =>
      Effect.gen(function* () {
        const { call } = yield* open()
        const tus = { "tus-resumable": "1.0.0" }
        const file = onnx("text", "in pieces")
        const collection = "/v1/models/digits/uploads"
        const made = yield* call(`${collection}?create=true`, {
          method: "POST",
          headers: { ...tus, "upload-length": String(file.length) },
        })
        assert.strictEqual(made.status, 201, made.text)
        const path = new URL(made.headers.get("location") ?? "", `http://localhost${collection}`).pathname
        const patch = (offset: number, text: string) =>
          call(path, {
            method: "PATCH",
            headers: {
              ...tus,
              "upload-offset": String(offset),
              "content-type": "application/offset+octet-stream",
            },
            body: text,
          })
        const some = yield* patch(0, file.slice(0, 9))
        assert.deepStrictEqual([some.status, some.headers.get("upload-offset")], [204, "9"])
        const head = yield* call(path, { method: "HEAD", headers: tus })
        assert.deepStrictEqual([head.status, head.headers.get("upload-offset"), head.text], [200, "9", ""])
        isProblem(yield* patch(0, file), 409, "offset-mismatch", { offset: 9 })
        const done = yield* patch(9, file.slice(9))
        assert.strictEqual(done.status, 201, done.text)
        const download = yield* call("/v1/models/digits/versions/1/artifact")
        assert.strictEqual(download.text, file)
      }),
    )

    it.effect("the request's id comes back", () =>
      Effect.gen(function* () {
        const mount = yield* open()
        yield* withModel(mount, "digits")
        for (const [path, init] of [
          ["/v1/models/digits/predict", predict],
          ["/v2/models/digits/infer", infer],
        ] as const) {
          const headers = { ...init.headers, "x-request-id": "abc" }
          assert.strictEqual(
            (yield* mount.call(path, { ...init, headers })).headers.get("x-request-id"),
            "abc",
          )
        }
      }),
    )

    it.effect("failures have each plane's own body", () =>
      Effect.gen(function* () {
        const mount = yield* open()
        yield* withModel(mount, "digits")
        isProblem(yield* mount.call("/v1/models/nope/predict", predict), 404, "model-not-found")
        isV2Error(yield* mount.call("/v2/models/nope/infer", infer), 404, /Request for unknown model: 'nope'/)
        isProblem(yield* mount.call("/v1/models/digits/predict", json({ inputs: {} })), 422, "invalid-inputs")
        isV2Error(yield* mount.call("/v2/models/digits/infer", json({ inputs: [] })), 400, /inputs\.x/)
        const form = { method: "POST", body: new URLSearchParams({ inputs: "{}" }) }
        isProblem(yield* mount.call("/v1/models/digits/predict", form), 415, "unsupported-media-type")
        isProblem(yield* mount.call("/nowhere"), 404, "not-found")
        isProblem(yield* mount.call("/v1/nowhere"), 404, "not-found")
        isV2Error(yield* mount.call("/v2/nowhere"), 404, /nothing at this path/)
        isProblem(yield* mount.call("/v20"), 404, "not-found")
      }),
    )

    it.effect("every path refuses other methods, saying which it has", () =>
      Effect.gen(function* () {
        const { call } = yield* open()
        for (const { path, allowed, others } of paths)
          for (const method of others) {
            const answer = yield* call(path, { method })
            const allow = (answer.headers.get("allow") ?? "").split(", ")
            const expected = allowed.includes("GET") && !isDataPlane(path) ? [...allowed, "HEAD"] : allowed
            assert.sameMembers(allow, expected, `${method} ${path}`)
            if (path.startsWith("/v2")) isV2Error(answer, 405, new RegExp(`^${method} is not supported here`))
            else isProblem(answer, 405, "method-not-allowed")
          }
      }),
    )

    it.effect("HEAD is GET without the body", () =>
      Effect.gen(function* () {
        const mount = yield* open()
        yield* withModel(mount, "digits")
        for (const path of ["/healthz", "/v1/models/digits", "/v2/models/digits"]) {
          const head = yield* mount.call(path, { method: "HEAD" })
          assert.deepStrictEqual([head.status, head.text], [200, ""])
        }
      }),
    )

    it.effect("bodies beyond the limit are refused on both planes, announced or streamed", () =>
      Effect.gen(function* () {
        const mount = yield* open({ maxRequestBytes: 1000 })
        yield* withModel(mount, "digits")
        const large = JSON.stringify({ inputs: { x: Array.from({ length: 1000 }, () => [1, 2]) } })
        for (const body of [large, new Blob([large]).stream()] as const) {
          const init = {
            method: "POST",
            headers: { "content-type": "application/json" },
            duplex: "half" as const,
          }
          const answer = yield* mount.call("/v1/models/digits/predict", { ...init, body })
          isProblem(answer, 413, "too-large", { limit: 1000 })
        }
        const answer = yield* mount.call("/v2/models/digits/infer", { method: "POST", body: large })
        isV2Error(answer, 413, /larger than the 1000 bytes/)
      }),
    )

    it.effect("a store that is down is a 503, and a defect a 500: both are logged, neither is told", () =>
      Effect.gen(function* () {
        const mount = yield* open()
        yield* withModel(mount, "digits")
        const calls: ReadonlyArray<readonly [string, RequestInit?]> = [
          ["/v1/models"],
          ["/v1/models/digits"],
          ["/v1/models", json({ name: "other" })],
          ["/v1/models/digits", json({ description: "x" }, "PATCH")],
          ["/v1/models/digits", { method: "DELETE" }],
          ["/v1/models/digits/aliases/a", json({ version: 1 }, "PUT")],
          ["/v1/models/digits/aliases/a", { method: "DELETE" }],
          ["/v1/models/digits/versions"],
          ["/v1/models/digits/versions", upload(onnx("text"))],
          ["/v1/models/digits/versions/1"],
          ["/v1/models/digits/versions/1", json({ description: "x" }, "PATCH")],
          ["/v1/models/digits/versions/1", { method: "DELETE" }],
          ["/v1/models/digits/versions/1/artifact"],
        ]
        for (const [mood, status, name] of [
          ["down", 503, "unavailable"],
          ["broken", 500, "internal"],
        ] as const) {
          mount.forge.store = mood
          for (const [path, init] of calls) {
            mount.forge.logs.length = 0
            const refused = yield* mount.call(path, init)
            isProblem(refused, status, name)
            assert.strictEqual(refused.headers.get("retry-after"), mood === "down" ? "1" : null, path)
            assert.include(mount.forge.logs.join("\n"), secret, `${path} is not in the log`)
          }
          // What serves needs no store.
          const answer = yield* mount.call("/v1/models/digits/predict", predict)
          assert.strictEqual(answer.status, 200, answer.text)
        }
        mount.forge.run = () => Promise.reject(new Error(secret))
        isProblem(yield* mount.call("/v1/models/digits/predict", predict), 500, "internal")
        isV2Error(yield* mount.call("/v2/models/digits/infer", infer), 500, /the failure was logged/)
      }),
    )

    it.effect("a caller who leaves takes the waiting prediction along, on both planes", () =>
      Effect.gen(function* () {
        // Two runs are held, as many as the model takes at once. There is a place for one more, which has to wait.
        const mount = yield* open({ maxModelRequests: 3 })
        yield* withModel(mount, "digits")
        yield* mount.call("/v1/models/digits/predict", predict)
        const held = Promise.withResolvers<void>()
        const { run } = mount.forge
        let runs = 0
        mount.forge.run = async (...args) => {
          runs++
          await held.promise
          return run(...args)
        }
        const held1 = yield* Effect.forkChild(mount.call("/v1/models/digits/predict", predict))
        const held2 = yield* Effect.forkChild(mount.call("/v2/models/digits/infer", infer))
        yield* until(Effect.sync(() => runs === 2))
        // What has no inputs is refused at once, unless there is no place to read it.
        const isFull = Effect.map(
          mount.call("/v1/models/digits/predict", json({})),
          ({ status }) => status === 503,
        )
        for (const [path, asked] of [
          ["/v1/models/digits/predict", predict],
          ["/v2/models/digits/infer", infer],
        ] as const) {
          const leaving = new AbortController()
          // Without a connection to break off, a host answers to nobody.
          const left = mount.fetch(path, { ...asked, signal: leaving.signal }).then(
            ({ status }) => status,
            () => "left",
          )
          yield* until(isFull)
          leaving.abort()
          assert.notStrictEqual(yield* Effect.promise(() => left), 200)
          yield* until(Effect.map(isFull, (full) => !full))
        }
        held.resolve()
        assert.strictEqual((yield* Fiber.join(held1)).status, 200)
        assert.strictEqual((yield* Fiber.join(held2)).status, 200)
        yield* mount.call("/healthz")
        assert.strictEqual(runs, 2)
        assert.notInclude(mount.forge.logs.join(), "unexpectedly")
      }),
    )

    for (const [form, parameters] of [
      ["bytes", { binary_data_output: true }],
      ["text", {}],
    ] as const)
      it.effect(`a large answer as ${form} keeps its place until it is read, or its reader has left`, () =>
        Effect.gen(function* () {
          const mount = yield* open({ maxModelRequests: 1 })
          yield* withModel(mount, "digits")
          const { run } = mount.forge
          // More than the buffers of connections hold.
          const elements = 8_000_000
          const data = new Float32Array(elements).fill(1.25)
          mount.forge.run = async () => ({
            outputs: { x_out: { datatype: "FP32", shape: [elements / 2, 2], data } },
            queueMs: 0,
            computeMs: 0,
          })
          const body = JSON.stringify({
            inputs: [{ name: "x", datatype: "FP32", shape: [1, 2], data: [1, 2] }],
            parameters,
          })
          // Else `fetch` asks for compression, which leaves little of a text.
          const headers = { "accept-encoding": "identity" }
          const ask = () =>
            Effect.promise(() => mount.fetch("/v2/models/digits/infer", { method: "POST", body, headers }))
          const isFree = Effect.map(
            mount.call("/v1/models/digits/predict", predict),
            ({ status }) => status === 200,
          )
          const unread = yield* ask()
          mount.forge.run = run
          assert.isFalse(yield* isFree)
          yield* Effect.promise(async () => unread.body?.cancel())
          yield* until(isFree)
          mount.forge.run = async () => ({
            outputs: { x_out: { datatype: "FP32", shape: [elements / 2, 2], data } },
            queueMs: 0,
            computeMs: 0,
          })
          const read = yield* ask()
          mount.forge.run = run
          assert.isFalse(yield* isFree)
          assert.isAbove((yield* Effect.promise(() => read.arrayBuffer())).byteLength, 4 * elements)
          yield* until(isFree)
        }),
      )

    it.effect("slow readers of an answer of 100 MB share its memory", () =>
      Effect.gen(function* () {
        const mount = yield* open()
        yield* withModel(mount, "digits")
        const elements = 25_000_000
        const data = new Float32Array(elements)
        mount.forge.run = async () => ({
          outputs: { x_out: { datatype: "FP32", shape: [elements / 2, 2], data } },
          queueMs: 0,
          computeMs: 0,
        })
        const body = JSON.stringify({
          inputs: [{ name: "x", datatype: "FP32", shape: [1, 2], data: [1, 2] }],
          parameters: { binary_data_output: true },
        })
        const before = process.memoryUsage().arrayBuffers
        const readers = yield* Effect.promise(async () => {
          const ask = () => mount.fetch("/v2/models/digits/infer", { method: "POST", body })
          const answers = await Promise.all([ask(), ask(), ask(), ask()])
          return Promise.all(
            answers.map(async (answer) => {
              const reader = answer.body?.getReader()
              await reader?.read()
              return reader
            }),
          )
        })
        for (let times = 0; times < 5; times++) yield* Effect.andThen(mount.call("/healthz"), turn)
        const grown = process.memoryUsage().arrayBuffers - before
        yield* Effect.promise(() => Promise.all(readers.map((reader) => reader?.cancel())))
        assert.isBelow(grown, 4 * elements, `${Math.round(grown / 2 ** 20)} MiB more`)
      }),
    )
  })
