/** Versions that take their time to warm up: an alias or a split reaches them once they have. */
import { assert, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as onnx from "../../../onnx/test/onnxFile.ts"
import { startServer } from "./command.ts"
import { get, send, type Target, upload } from "./http.ts"
import { slowModel } from "./slowModel.ts"

const production = "/v1/models/slow/aliases/production"

const variant = (salt: string) => onnx.concat(slowModel, onnx.bytes(6, salt))

const loop = (target: Target, n: number, version?: number | string) =>
  send(target, "POST", "/v1/models/slow/predict", {
    json: { inputs: { n, x: [0.5] }, version },
  })

/** Which version answers; the status when none does. */
const answering = (target: Target) =>
  Effect.map(loop(target, 0), ({ status, headers }) =>
    status === 200 ? Number(headers["modelforge-model-version"]) : -status,
  )

/** Loops that take this machine about a second. */
const loopsOfASecond = Effect.fnUntraced(function* (target: Target) {
  const n = 20_000
  yield* loop(target, n)
  const { json } = yield* loop(target, n)
  const { computeMs } = (json as { readonly timings: { readonly computeMs: number } }).timings
  return Math.ceil((n * 1000) / computeMs)
})

const servingOf = (target: Target, version: number) =>
  Effect.map(get(target, `/v1/models/slow/versions/${version}`), ({ json }) => {
    const { serving } = json as { readonly serving: { readonly state: string } }
    return serving.state
  })

it.live(
  "aliases, splits and rollbacks never send a request to a version that is still warming up",
  () =>
    Effect.gen(function* () {
      const { target } = yield* startServer()
      for (const salt of ["1", "2", "3"])
        assert.strictEqual((yield* upload(target, "slow", variant(salt))).status, 201)
      yield* send(target, "PUT", production, { json: { version: 1 } })
      assert.strictEqual(yield* Effect.map(loop(target, 1, 1), ({ status }) => status), 200)
      const n = yield* loopsOfASecond(target)
      const warmup = { runs: 1, inputs: { n, x: [0.5] } }
      const configured = yield* send(target, "PUT", "/v1/models/slow/config", { json: { warmup } })
      assert.strictEqual(configured.status, 200, configured.bytes.toString())
      const answers = new Set<number>()
      const traffic = yield* Effect.forEach([1, 2], () =>
        answering(target).pipe(
          Effect.map((answer) => answers.add(answer)),
          Effect.forever,
          Effect.forkChild,
        ),
      )
      /** Whoever asks during the warm-up may wait for a runner, but gets the answer of the version before. */
      const moves = Effect.fnUntraced(function* (from: number, to: number, path: string, json: unknown) {
        const moving = yield* Effect.forkChild(send(target, "PUT", path, { json }))
        yield* Effect.repeat(servingOf(target, to), { until: (state) => state === "warming" })
        assert.strictEqual(yield* answering(target), from)
        assert.strictEqual((yield* Fiber.join(moving)).status, 200)
        assert.strictEqual(yield* servingOf(target, to), "serving")
        assert.strictEqual(yield* answering(target), to)
      })
      yield* moves(1, 2, production, { version: 2 })
      yield* moves(2, 3, "/v1/models/slow/traffic", { split: [{ version: 3, weight: 100 }] })
      yield* send(target, "DELETE", "/v1/models/slow/traffic")
      yield* send(target, "POST", "/v1/models/slow/versions/1/unload")
      yield* send(target, "POST", "/v1/models/slow/versions/1/load")
      assert.strictEqual((yield* send(target, "POST", `${production}/rollback`)).status, 200)
      assert.strictEqual(yield* answering(target), 1)
      yield* Effect.forEach(traffic, (fiber) => Fiber.interrupt(fiber))
      assert.deepStrictEqual([...answers].sort(), [1, 2, 3])
    }),
  60_000,
)
