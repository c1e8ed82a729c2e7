import { assert, it } from "@effect/vitest"
import type { Signature } from "@modelforge/core"
import { Context, Effect, Exit, Layer, Scope } from "effect"
import { BodyReader } from "../../src/dataplane/large/BodyReader.ts"
import type { InferJob, PredictJob } from "../../src/dataplane/large/bodyJob.ts"
import { readInferJob, readPredictJob } from "../../src/dataplane/large/readBody.ts"
import { type BodyThreadsOptions, layerBodyThreads } from "../../src/node/BodyThreads.ts"

const signature: Signature = {
  inputs: [
    { name: "x", datatype: "FP32", shape: [-1] },
    { name: "i", datatype: "INT64", shape: [-1] },
    { name: "t", datatype: "BYTES", shape: [-1] },
  ],
  outputs: [],
}

/** In pieces of memory of their own, as they come from a connection. */
const pieces = (text: string | Uint8Array): ReadonlyArray<Uint8Array> => {
  const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text
  return [bytes.slice(0, 7), bytes.slice(7, 20), bytes.slice(20)]
}

const predictJob = (text: string, asked: Signature | undefined = signature): PredictJob => ({
  kind: "predict",
  body: pieces(text),
  signature: asked,
})

const inferJob = (text: string | Uint8Array, jsonLength?: number): InferJob => ({
  kind: "infer",
  body: pieces(text),
  signature,
  jsonLength,
})

const open = (options?: BodyThreadsOptions) =>
  Effect.map(Layer.build(layerBodyThreads(options)), (context) => Context.get(context, BodyReader))

const { signal } = new AbortController()
const plain = '{"inputs":{"x":[1.5,2],"i":[9007199254740993],"t":["a","é","\\n"]}}'

it.effect("threads give what this thread would give", () =>
  Effect.gen(function* () {
    const reader = yield* open()
    const texts = [
      plain,
      '{"inputs":{"x":[1e39]}}',
      '{"inputs":{"t":["\\u00e9"],"t":["é"]}}',
      "{",
      '{"inputs":[]}',
    ]
    for (const text of texts) {
      const read = yield* Effect.promise(() => reader.predict(predictJob(text), signal))
      const { body: _, ...expected } = yield* Effect.promise(() => readPredictJob(predictJob(text)))
      assert.deepStrictEqual(read, expected)
    }
    const v2 = (data: string) => `{"inputs":[{"name":"t","datatype":"BYTES","shape":[2],"data":${data}}]}`
    for (const text of [v2('["a","\\né"]'), v2('["a",1]'), v2('["a"],"data":["b","c"]')]) {
      const read = yield* Effect.promise(() => reader.infer(inferJob(text), signal))
      assert.deepStrictEqual(read, yield* Effect.promise(() => readInferJob(inferJob(text))))
    }
  }),
)

it.effect("tensors given as bytes come back with those given as JSON", () =>
  Effect.gen(function* () {
    const reader = yield* open({ threads: 1 })
    const json =
      '{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"parameters":{"binary_data_size":4}},{"name":"i","datatype":"INT64","shape":[1],"data":[7]}]}'
    const body = new Uint8Array([...new TextEncoder().encode(json), 0, 0, 0xc0, 0x3f])
    // More than once: what goes along is gone there.
    for (let times = 0; times < 3; times++) {
      const read = yield* Effect.promise(() => reader.infer(inferJob(body, json.length), signal))
      assert.deepStrictEqual(read, yield* Effect.promise(() => readInferJob(inferJob(body, json.length))))
      assert.strictEqual(read.as, "whole")
    }
  }),
)

it.effect("a body is handed over, and comes back only where it may have to be read again", () =>
  Effect.gen(function* () {
    const reader = yield* open({ threads: 1 })
    const job = predictJob(plain)
    const read = yield* Effect.promise(() => reader.predict(job, signal))
    assert.notProperty(read, "body")
    assert.deepStrictEqual(
      [...job.body].map((piece) => (piece instanceof Uint8Array ? piece.length : -1)),
      [0, 0, 0],
    )
    const named = '{"version":2,"inputs":{"x":[1,2]}}'
    for (const again of [predictJob(named), predictJob(named, undefined)]) {
      const { body = assert.fail("it is gone") } = yield* Effect.promise(() => reader.predict(again, signal))
      assert.deepStrictEqual(body, pieces(named))
    }
  }),
)

it.effect("memory that others have a part in is copied, not taken away from them", () =>
  Effect.gen(function* () {
    const reader = yield* open({ threads: 1 })
    const shared = new TextEncoder().encode(`${" ".repeat(100)}${plain}`)
    const job = { ...predictJob(""), body: shared.subarray(100) }
    const read = yield* Effect.promise(() => reader.predict(job, signal))
    assert.strictEqual(read.as, "scanned")
    assert.strictEqual(shared.length, 100 + new TextEncoder().encode(plain).length)
  }),
)

it.effect("more bodies than threads wait their turn; who leaves meanwhile is not read", () =>
  Effect.gen(function* () {
    const reader = yield* open({ threads: 1 })
    const caller = new AbortController()
    const gone = new Error("gone")
    const first = reader.predict(predictJob(plain), signal)
    const left = reader.predict(predictJob(plain), caller.signal).catch((error: unknown) => error)
    const last = reader.predict(predictJob(plain), signal)
    caller.abort(gone)
    assert.strictEqual(yield* Effect.promise(() => left), gone)
    assert.strictEqual((yield* Effect.promise(() => first)).as, "scanned")
    assert.strictEqual((yield* Effect.promise(() => last)).as, "scanned")
    const late = reader.predict(predictJob(plain), caller.signal).catch((error: unknown) => error)
    assert.strictEqual(yield* Effect.promise(() => late), gone)
  }),
)

it.effect("a thread that can't start fails its job, not the process", () =>
  Effect.gen(function* () {
    const reader = yield* open({ entry: new URL("./missing.ts", import.meta.url) })
    const failed = yield* Effect.promise(() =>
      reader.predict(predictJob(plain), signal).catch((error: unknown) => error),
    )
    assert.instanceOf(failed, Error)
  }),
)

it.effect("the end of the scope ends the threads and what waits for them", () =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const reader = yield* open({ threads: 1 }).pipe(Scope.provide(scope))
    const jobs = [1, 2, 3].map(() =>
      reader.predict(predictJob(plain), signal).then(
        () => "read",
        (error: unknown) => String(error),
      ),
    )
    yield* Scope.close(scope, Exit.void)
    const ends = yield* Effect.promise(() => Promise.all(jobs))
    assert.include(ends, "Error: the threads are closed")
    const late = yield* Effect.promise(() => reader.predict(predictJob(plain), signal).catch(String))
    assert.strictEqual(late, "Error: the threads are closed")
  }),
)
