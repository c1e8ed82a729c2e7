import { assert, it } from "@effect/vitest"
import { RunFailed, RuntimeError } from "@modelforge/core"
import { Effect } from "effect"
import { json, type Mount, mountWeb, withModel } from "../Mount.ts"

const infer = json({ inputs: [{ name: "x", datatype: "FP32", shape: [3, 2], data: [1, 2, 3, 4, 5, 6] }] })

const statistics = ({ call }: Mount, path: string) =>
  Effect.map(
    call(`/v2/models${path}/stats`),
    ({ json }) => (json as { readonly model_stats: ReadonlyArray<Record<string, unknown>> }).model_stats,
  )

const none = { count: 0, ns: 0 }

it.effect("versions are counted, in Triton's shape", () =>
  Effect.gen(function* () {
    const mount = yield* mountWeb()
    yield* withModel(mount, "digits", ["floats", "floats"])
    yield* withModel(mount, "other")
    const [unused] = yield* statistics(mount, "/digits/versions/2")
    assert.deepStrictEqual(unused, {
      name: "digits",
      version: "2",
      last_inference: 0,
      inference_count: 0,
      execution_count: 0,
      inference_stats: {
        success: none,
        fail: none,
        queue: none,
        compute_input: none,
        compute_infer: none,
        compute_output: none,
        cache_hit: none,
        cache_miss: none,
      },
      response_stats: {},
      batch_stats: [],
      memory_usage: [],
    })
    const before = Date.now()
    for (let times = 0; times < 2; times++)
      assert.strictEqual((yield* mount.call("/v2/models/digits/versions/1/infer", infer)).status, 200)
    const [used] = yield* statistics(mount, "/digits/versions/1")
    assert.deepInclude(used, { name: "digits", version: "1", inference_count: 6, execution_count: 2 })
    assert.isAtLeast(Number(used?.["last_inference"]), before)
    // What the runtime of this test says of each run.
    const compute = { count: 2, ns: 4_000_000 }
    assert.deepNestedInclude(used, {
      "inference_stats.success.count": 2,
      "inference_stats.queue.count": 2,
      "inference_stats.compute_input": { count: 2, ns: 0 },
      "inference_stats.compute_infer": compute,
      "inference_stats.compute_output.count": 2,
      "batch_stats[0].batch_size": 3,
      "batch_stats[0].compute_infer": compute,
      memory_usage: [{ type: "CPU", id: 0, byte_size: 0 }],
    })
    assert.deepStrictEqual(
      (yield* statistics(mount, "/digits")).map(({ version }) => version),
      ["1", "2"],
    )
    assert.deepStrictEqual(
      (yield* statistics(mount, "")).map(({ name, version }) => `${name}/${version}`),
      ["digits/1", "digits/2", "other/1"],
    )
  }),
)

it.effect("a failure counts as one, and what does not fit the signature as nothing", () =>
  Effect.gen(function* () {
    const mount = yield* mountWeb()
    yield* withModel(mount, "digits")
    yield* mount.call("/v2/repository/models/digits/load", { method: "POST" })
    mount.forge.run = () => Promise.reject(new RuntimeError({ reason: new RunFailed({ detail: "no" }) }))
    assert.strictEqual((yield* mount.call("/v2/models/digits/infer", infer)).status, 400)
    assert.strictEqual((yield* mount.call("/v2/models/digits/infer", json({ inputs: [] }))).status, 400)
    const [counted] = yield* statistics(mount, "/digits")
    assert.deepNestedInclude(counted, {
      inference_count: 0,
      execution_count: 0,
      "inference_stats.success": none,
      "inference_stats.fail.count": 1,
      batch_stats: [],
    })
  }),
)

it.effect("an unload keeps the counts; a version that is archived and restored begins anew", () =>
  Effect.gen(function* () {
    const mount = yield* mountWeb()
    yield* withModel(mount, "digits")
    const counts = Effect.map(statistics(mount, "/digits"), (list) =>
      list.map(({ execution_count, memory_usage }) => [execution_count, memory_usage]),
    )
    yield* mount.call("/v2/models/digits/infer", infer)
    yield* mount.call("/v2/repository/models/digits/unload", { method: "POST" })
    assert.deepStrictEqual(yield* counts, [[1, []]])
    for (const change of ["archive", "restore"])
      assert.strictEqual(
        (yield* mount.call(`/v1/models/digits/versions/1/${change}`, { method: "POST" })).status,
        200,
      )
    assert.deepStrictEqual(yield* counts, [[0, []]])
  }),
)
