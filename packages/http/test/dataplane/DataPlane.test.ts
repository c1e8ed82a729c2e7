import { assert, describe, it } from "@effect/vitest"
import {
  InferenceError,
  InvalidInputs,
  LoadFailed,
  ModelNotFound,
  RunFailed,
  RunnerLost,
  RunnerUnavailable,
  VersionNotFound,
  VersionUnavailable,
} from "@modelforge/core"
import { Effect } from "effect"
import type { DataPlaneResponse } from "../../src/dataplane/response/response.ts"
import {
  type Ask,
  ask,
  asText,
  FakeInference,
  inferRoute,
  predictRoute,
  type Reason,
} from "./FakeInference.ts"

const good = { inputs: { x: [[1, 2]] } }
const goodV2 = { inputs: [{ name: "x", datatype: "FP32", shape: [1, 2], data: [1, 2] }] }

const open = Effect.fnUntraced(function* (settings?: Parameters<FakeInference["dataPlane"]>[0]) {
  const inference = new FakeInference()
  const dataPlane = yield* inference.dataPlane(settings)
  return {
    inference,
    dataPlane,
    ask: (body: unknown, options?: Ask) => Effect.promise(() => ask(dataPlane, body, options)),
  }
})

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

const isProblem = (response: DataPlaneResponse, expected: number, name: string) => {
  const { status, headers, body } = asText(response)
  assert.strictEqual(status, expected, body)
  assert.strictEqual(headers["content-type"], "application/problem+json")
  const problem = JSON.parse(body)
  assert.strictEqual(problem.type, `urn:modelforge:problem:${name}`)
  assert.strictEqual(problem.status, expected)
  return problem
}

const isV2Error = (response: DataPlaneResponse, expected: number, message: RegExp) => {
  const { status, headers, body } = asText(response)
  assert.strictEqual(status, expected, body)
  assert.strictEqual(headers["content-type"], "application/json")
  assert.deepStrictEqual(Object.keys(JSON.parse(body)), ["error"])
  assert.match(JSON.parse(body).error, message)
}

describe("a prediction", () => {
  it.effect("answers /v1 with nested outputs and timings", () =>
    Effect.gen(function* () {
      const { ask } = yield* open()
      const { status, headers, body } = yield* ask(good, { headers: { "x-request-id": "abc" } })
      assert.strictEqual(status, 200)
      const { timings, ...rest } = JSON.parse(body)
      assert.deepStrictEqual(rest, {
        model: "digits",
        version: 3,
        outputs: { y: [[1, 2]] },
        cache: "bypass",
        id: "abc",
      })
      assert.deepStrictEqual([timings.queueMs, timings.computeMs], [0.25, 1.5])
      assert.isAtLeast(timings.totalMs, 0)
      assert.deepStrictEqual(headers, {
        "content-type": "application/json",
        "modelforge-model-version": "3",
        "modelforge-cache": "bypass",
        "server-timing": `queue;dur=0.25, compute;dur=1.5, total;dur=${timings.totalMs}`,
        "x-request-id": "abc",
      })
    }),
  )

  it.effect("answers V2 with flat outputs and the same headers", () =>
    Effect.gen(function* () {
      const { ask } = yield* open()
      const { status, headers, body } = yield* ask({ ...goodV2, id: "mine" }, { route: inferRoute })
      assert.strictEqual(status, 200)
      assert.deepStrictEqual(JSON.parse(body), {
        model_name: "digits",
        model_version: "3",
        id: "mine",
        outputs: [{ name: "y", datatype: "FP32", shape: [1, 2], data: [1, 2] }],
      })
      assert.strictEqual(headers["content-type"], "application/json")
      assert.strictEqual(headers["modelforge-model-version"], "3")
      assert.strictEqual(headers["modelforge-cache"], "bypass")
      assert.match(headers["server-timing"] ?? "", /^queue;dur=0\.25, compute;dur=1\.5, total;dur=[\d.]+$/)
      assert.match(headers["x-request-id"] ?? "", uuid)
      const anonymous = yield* ask(goodV2, { route: inferRoute })
      assert.notProperty(JSON.parse(anonymous.body), "id")
    }),
  )

  it.effect("keeps 64-bit integers exact both ways", () =>
    Effect.gen(function* () {
      const { ask, inference } = yield* open()
      inference.signature = {
        inputs: [
          { name: "i", datatype: "INT64", shape: [-1] },
          { name: "u", datatype: "UINT64", shape: [-1] },
        ],
        outputs: [
          { name: "I", datatype: "INT64", shape: [-1] },
          { name: "U", datatype: "UINT64", shape: [-1] },
        ],
      }
      const long = ["9007199254740993,-9223372036854775808,1", "18446744073709551615,0"] as const
      const nested = yield* ask(`{"inputs":{"i":[${long[0]}],"u":[${long[1]}]}}`)
      assert.include(nested.body, `"outputs":{"I":[${long[0]}],"U":[${long[1]}]}`)
      const flat = yield* ask(
        `{"inputs":[{"name":"i","datatype":"INT64","shape":[3],"data":[${long[0]}]},{"name":"u","datatype":"UINT64","shape":[2],"data":[${long[1]}]}]}`,
        { route: inferRoute },
      )
      assert.include(flat.body, `"shape":[3],"data":[${long[0]}]`)
      assert.include(flat.body, `"shape":[2],"data":[${long[1]}]`)
      const shape = yield* ask(
        '{"inputs":[{"name":"i","datatype":"INT64","shape":[9007199254740993],"data":[1]}]}',
        { route: inferRoute },
      )
      isV2Error(shape, 400, /inputs\.i\.shape\[0\]: expected a size.*got 9007199254740993$/)
    }),
  )

  it.effect("reads and writes what is not finite as Triton does on V2, and as strings on /v1", () =>
    Effect.gen(function* () {
      const { ask } = yield* open()
      const v2 = yield* ask(
        '{"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[NaN,-Infinity]}]}',
        { route: inferRoute },
      )
      assert.include(v2.body, '"data":[NaN,-Infinity]')
      isProblem(yield* ask('{"inputs":{"x":[[NaN,1]]}}'), 400, "bad-request")
      isProblem(yield* ask({ inputs: { x: [["NaN", 1]] } }), 422, "invalid-inputs")
    }),
  )

  it.effect("hands the caller's signal to the run", () =>
    Effect.gen(function* () {
      const { ask, inference } = yield* open()
      const { signal } = new AbortController()
      yield* ask(good, { signal })
      yield* ask(goodV2, { signal, route: inferRoute })
      assert.deepStrictEqual(inference.signals, [signal, signal])
    }),
  )
})

describe("the request's id", () => {
  it.effect("is the client's when it can stand in a header and in a log, else a new one", () =>
    Effect.gen(function* () {
      const { ask } = yield* open()
      const idOf = (sent: string | ReadonlyArray<string>) =>
        Effect.map(
          ask(good, { headers: { "x-request-id": sent } }),
          ({ headers }) => headers["x-request-id"] ?? "",
        )
      assert.strictEqual(yield* idOf("a-b:c/1"), "a-b:c/1")
      assert.strictEqual(yield* idOf("x".repeat(128)), "x".repeat(128))
      assert.strictEqual(yield* idOf(["first", "second"]), "first")
      for (const odd of ["", "a b", "a\nb", "é", "x".repeat(129), []]) assert.match(yield* idOf(odd), uuid)
      assert.notStrictEqual(yield* idOf(""), yield* idOf(""))
    }),
  )

  it.effect("is in refusals too", () =>
    Effect.gen(function* () {
      const { ask, dataPlane } = yield* open()
      const headers = { "x-request-id": "abc" }
      for (const route of [predictRoute, inferRoute]) {
        assert.strictEqual((yield* ask("{", { route, headers })).headers["x-request-id"], "abc")
        assert.strictEqual(dataPlane.refuseHead("GET", route, headers)?.headers["x-request-id"], "abc")
        assert.strictEqual(dataPlane.tooLarge(route, headers).headers["x-request-id"], "abc")
      }
    }),
  )
})

describe("a failure", () => {
  const reasons: ReadonlyArray<readonly [Reason, number, string, number, string?]> = [
    [
      new ModelNotFound({ model: "digits" }),
      404,
      "model-not-found",
      404,
      "Request for unknown model: 'digits' is not found",
    ],
    [
      new VersionNotFound({ model: "digits", version: "9" }),
      404,
      "version-not-found",
      404,
      "Request for unknown model: 'digits' version 9 is not found",
    ],
    [
      new VersionNotFound({ model: "digits", version: null }),
      404,
      "version-not-found",
      404,
      "Request for unknown model: 'digits' has no available versions",
    ],
    [
      new VersionUnavailable({ model: "digits", version: 1, state: "validating", detail: null }),
      503,
      "unavailable",
      503,
    ],
    [
      new InvalidInputs({ model: "digits", issues: [{ path: "inputs.x", message: "is wrong" }] }),
      422,
      "invalid-inputs",
      400,
      "unexpected shape for input 'x' for model 'digits'. The request does not fit the signature of model \"digits\": inputs.x: is wrong",
    ],
    [new RunFailed({ detail: "shapes differ" }), 422, "run-failed", 400],
    [new LoadFailed({ detail: "no such operator" }), 503, "unavailable", 503],
    [new RunnerLost({ detail: "it crashed" }), 503, "unavailable", 503],
    [new RunnerUnavailable({ detail: "none started" }), 503, "unavailable", 503],
  ]

  for (const [reason, status, name, statusV2, messageV2 = reason.message] of reasons)
    it.effect(`${reason._tag} is ${status} on /v1 and ${statusV2} on V2`, () =>
      Effect.gen(function* () {
        const { ask, inference } = yield* open()
        const failsWith = (on: "route" | "run") => {
          if (on === "route") inference.noRoute = reason
          else inference.run = () => Promise.reject(new InferenceError({ reason }))
        }
        failsWith(name.endsWith("not-found") ? "route" : "run")
        const answer = yield* ask(good)
        assert.strictEqual(isProblem(answer, status, name).detail, reason.message)
        const answerV2 = yield* ask(goodV2, { route: inferRoute })
        isV2Error(answerV2, statusV2, /./)
        assert.deepStrictEqual(JSON.parse(answerV2.body), { error: messageV2 })
        for (const { headers } of [answer, answerV2])
          assert.strictEqual(headers["retry-after"], status === 503 ? "1" : undefined)
      }),
    )

  it.effect("that nobody expected is 500, told without what is inside, and logged with it", () =>
    Effect.gen(function* () {
      const { ask, inference } = yield* open()
      inference.run = () => Promise.reject(new Error("secret /var/lib/x"))
      const problem = isProblem(yield* ask(good), 500, "internal")
      assert.deepStrictEqual(Object.keys(problem).sort(), ["status", "title", "type"])
      isV2Error(yield* ask(goodV2, { route: inferRoute }), 500, /^The server failed; the failure was logged$/)
      inference.run = () => {
        throw new TypeError("secret too")
      }
      isProblem(yield* ask(good), 500, "internal")
      while (inference.logs.length < 3) yield* Effect.yieldNow
      assert.deepStrictEqual(
        inference.logs.map((line) => line.split("\n", 1)[0]),
        [
          "A prediction failed unexpectedly Error: secret /var/lib/x",
          "A prediction failed unexpectedly Error: secret /var/lib/x",
          "A prediction failed unexpectedly TypeError: secret too",
        ],
      )
    }),
  )

  it.effect("of an output that JSON can't carry is a failed run", () =>
    Effect.gen(function* () {
      const { ask, inference } = yield* open()
      const bytes = { datatype: "BYTES", shape: [1], data: [Uint8Array.of(0xff)] } as const
      inference.run = async (route) => ({
        version: route.version,
        outputs: { y: bytes },
        cache: "bypass",
        queueMs: 0,
        computeMs: 0,
      })
      isProblem(yield* ask(good), 422, "run-failed")
      isV2Error(yield* ask(goodV2, { route: inferRoute }), 400, /Output "y" holds bytes that are not UTF-8/)
    }),
  )

  it.effect("of a caller who left is no answer: it rejects with the signal's reason", () =>
    Effect.gen(function* () {
      const { dataPlane, inference } = yield* open()
      const reason = new Error("gone")
      for (const route of [predictRoute, inferRoute]) {
        const caller = new AbortController()
        inference.run = (_route, _inputs, _outputs, options) =>
          new Promise((_, reject) =>
            options?.signal?.addEventListener("abort", () => reject(new Error("dropped")), { once: true }),
          )
        const answer = ask(dataPlane, route === predictRoute ? good : goodV2, {
          route,
          signal: caller.signal,
        })
        caller.abort(reason)
        assert.strictEqual(yield* Effect.promise(() => answer.catch((error) => error)), reason)
      }
      assert.deepStrictEqual(inference.logs, [])
    }),
  )
})

describe("inputs that do not fit", () => {
  const cases: ReadonlyArray<readonly [what: string, inputs: object, path: string, message: RegExp]> = [
    ["a missing input", {}, "inputs.x", /missing: expected FP32 \[batch, 2\]/],
    ["an unknown input", { x: [[1, 2]], z: [1] }, "inputs.z", /unknown input: this model takes "x"/],
    ["a wrong rank", { x: [1, 2] }, "inputs.x", /expected FP32 \[batch, 2\], got FP32 \[2\]/],
    ["a wrong size", { x: [[1, 2, 3]] }, "inputs.x", /dimension 1 is 3, not 2/],
    ["ragged nesting", { x: [[1, 2], [3]] }, "inputs.x[1]", /ragged: expected an array of 2/],
    [
      "a wrong element",
      { x: [[1, "2"]] },
      "inputs.x[0][1]",
      /expected a number for FP32, got the string "2"/,
    ],
    ["null", { x: null }, "inputs.x", /expected a number for FP32, got null/],
    ["an empty batch", { x: [] }, "inputs.x", /./],
    ["a value out of range", { x: [[1, 1e39]] }, "inputs.x[0][1]", /out of the range of FP32/],
  ]
  for (const [what, inputs, path, message] of cases)
    it.effect(`${what}: 422 on /v1 that names it`, () =>
      Effect.gen(function* () {
        const { ask } = yield* open()
        const problem = isProblem(yield* ask({ inputs }), 422, "invalid-inputs")
        assert.strictEqual(problem.model, "digits")
        assert.strictEqual(problem.errors.length, 1)
        assert.strictEqual(problem.errors[0].path, path)
        assert.match(problem.errors[0].message, message)
      }),
    )

  it.effect("are 400 on V2, in words that its clients know", () =>
    Effect.gen(function* () {
      const { ask } = yield* open()
      const refused = Effect.fnUntraced(function* (inputs: ReadonlyArray<object>, message: RegExp) {
        isV2Error(yield* ask({ inputs }, { route: inferRoute }), 400, message)
      })
      const [x] = goodV2.inputs
      yield* refused([], /inputs\.x: missing: expected FP32 \[batch, 2\]/)
      yield* refused([{ ...x, datatype: "INT32" }], /expected FP32 \[batch, 2\], got INT32 \[1, 2\]/)
      yield* refused([{ ...x, shape: [2] }], /got FP32 \[2\]/)
      yield* refused([{ ...x, shape: [0, 2], data: [] }], /the batch is empty/)
      yield* refused([{ ...x, name: "z" }], /inputs\.z: unknown input/)
      yield* refused([{ ...x, data: [1] }], /unexpected number of elements: 1/)
    }),
  )

  it.effect("and outputs that the model does not have, or asked for twice", () =>
    Effect.gen(function* () {
      const { ask } = yield* open()
      const problem = isProblem(yield* ask({ ...good, outputs: ["z"] }), 422, "invalid-inputs")
      assert.strictEqual(problem.errors[0].path, "outputs[0]")
      const twice = { ...goodV2, outputs: [{ name: "y" }, { name: "y" }] }
      isV2Error(yield* ask(twice, { route: inferRoute }), 400, /outputs\[1\]: output "y" is asked for twice/)
    }),
  )

  it.effect("of a body that is no request: 422 on /v1 for its members, 400 for no JSON", () =>
    Effect.gen(function* () {
      const { ask } = yield* open()
      isProblem(yield* ask([]), 422, "invalid-request")
      isProblem(yield* ask({ inputs: {}, version: true }), 422, "invalid-request")
      isProblem(yield* ask(""), 400, "bad-request")
      isProblem(yield* ask("{"), 400, "bad-request")
      isProblem(yield* ask(Uint8Array.of(0xff)), 400, "bad-request")
      isV2Error(yield* ask("", { route: inferRoute }), 400, /The body is empty/)
      isV2Error(yield* ask("{", { route: inferRoute }), 400, /The body is not JSON/)
    }),
  )
})

describe("refuseHead", () => {
  it.effect("lets what can be read go on", () =>
    Effect.gen(function* () {
      const { dataPlane } = yield* open({ maxRequestBytes: 100 })
      for (const headers of [
        {},
        { "content-type": "application/json" },
        { "content-type": "Application/JSON; charset=utf-8", "content-encoding": "identity" },
        { "content-type": "application/vnd.a+json" },
        { "content-length": "100" },
      ])
        for (const route of [predictRoute, inferRoute])
          assert.isUndefined(dataPlane.refuseHead("POST", route, headers))
      // V2's clients send any type: Python's says octet-stream of JSON.
      for (const type of ["application/octet-stream", "text/plain", ""])
        assert.isUndefined(dataPlane.refuseHead("POST", inferRoute, { "content-type": type }))
    }),
  )

  it.effect("refuses every method but POST, saying which is allowed", () =>
    Effect.gen(function* () {
      const { dataPlane } = yield* open()
      for (const method of ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "post"])
        for (const route of [predictRoute, inferRoute]) {
          const refusal = dataPlane.refuseHead(method, route, {}) ?? assert.fail("it went on")
          assert.strictEqual(refusal.headers["allow"], "POST")
          const message = new RegExp(`${method} is not supported here: use POST`)
          if (route === inferRoute) isV2Error(refusal, 405, message)
          else assert.match(isProblem(refusal, 405, "method-not-allowed").detail, message)
        }
    }),
  )

  it.effect("refuses a body that says it is too large", () =>
    Effect.gen(function* () {
      const { dataPlane } = yield* open({ maxRequestBytes: 100 })
      const headers = { "content-length": "101" }
      for (const refusal of [
        dataPlane.refuseHead("POST", predictRoute, headers),
        dataPlane.tooLarge(predictRoute, {}),
      ])
        assert.strictEqual(isProblem(refusal ?? assert.fail("it went on"), 413, "too-large").limit, 100)
      for (const refusal of [
        dataPlane.refuseHead("POST", inferRoute, headers),
        dataPlane.tooLarge(inferRoute, {}),
      ])
        isV2Error(refusal ?? assert.fail("it went on"), 413, /larger than the 100 bytes/)
    }),
  )

  it.effect("refuses types that forms send to /v1, and encodings that nobody decodes here", () =>
    Effect.gen(function* () {
      const { dataPlane } = yield* open()
      for (const type of [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "application/octet-stream",
        "application/jsonp",
        "",
      ])
        isProblem(
          dataPlane.refuseHead("POST", predictRoute, { "content-type": type }) ?? assert.fail(type),
          415,
          "unsupported-media-type",
        )
      for (const encoding of ["gzip", "deflate", "br", "zstd", "gzip, identity", ""]) {
        const headers = { "content-encoding": encoding }
        isProblem(
          dataPlane.refuseHead("POST", predictRoute, headers) ?? assert.fail(encoding),
          415,
          "unsupported-media-type",
        )
        const refusal = dataPlane.refuseHead("POST", inferRoute, headers)
        if (encoding === "gzip" || encoding === "deflate") assert.isUndefined(refusal)
        else {
          isV2Error(
            refusal ?? assert.fail(encoding),
            415,
            /encoding .* is not supported: send gzip, deflate, or/,
          )
          assert.strictEqual(refusal?.headers["accept-encoding"], "gzip, deflate")
        }
      }
    }),
  )

  it.effect("refuses a length of the JSON that is no number of bytes", () =>
    Effect.gen(function* () {
      const { dataPlane } = yield* open()
      const refused = (length: string | ReadonlyArray<string>, route = inferRoute) =>
        dataPlane.refuseHead("POST", route, { "inference-header-content-length": length })
      for (const odd of ["", "-1", "+1", "1.5", "1e3", "0x10", " 1", "ten", "9".repeat(16), []]) {
        isV2Error(refused(odd) ?? assert.fail(String(odd)), 400, /^Inference-Header-Content-Length: expected/)
        assert.isUndefined(refused(odd, predictRoute))
      }
      for (const length of ["0", "10", ["10"]]) assert.isUndefined(refused(length))
    }),
  )
})
