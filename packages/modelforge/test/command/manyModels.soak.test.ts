/** Far more models than memory holds, asked at random: none fails, and memory stays within its budget. */
import { readdirSync, readFileSync } from "node:fs"
import { Agent } from "node:http"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { random } from "../../../core/test/random.ts"
import * as onnx from "../../../onnx/test/onnxFile.ts"
import { residentMiB, sharedServer } from "./command.ts"
import { get, predict, type Target, upload } from "./http.ts"

const inFull = process.env["MODELFORGE_SOAK"] === "1"
const modelCount = inFull ? 200 : 12
const requests = inFull ? 5000 : 150
/** So many models fit into memory at once; each has an instance on every runner. */
const fitting = inFull ? 20 : 4
const width = 1024
const modelMiB = (width * width * 4) / 2 ** 20
const runners = 2
const budgetMiB = fitting * modelMiB * runners * 3
/** What the server and its runners take without models: their code, heaps, and what allocators keep. */
const constantMiB = 300 + runners * 300

const server = sharedServer({ args: ["--model-memory-bytes", String(budgetMiB * 2 ** 20)] })

/** 4 MiB of weights; its answer is `id` in every element, so that no other model's can be taken for it. */
const modelOf = (id: number) =>
  onnx.model({
    nodes: [onnx.node("MatMul", ["x", "w"], ["y"])],
    initializers: [
      onnx.tensor(
        "w",
        onnx.elementType.FP32,
        [width, width],
        onnx.rawData(new Float32Array(width * width).fill(id)),
      ),
    ],
    inputs: [onnx.value("x", onnx.elementType.FP32, ["batch", width])],
    outputs: [onnx.value("y", onnx.elementType.FP32, ["batch", width])],
  })

const inputs = { x: [new Array(width).fill(1 / width)] }

/** The server's own processes, PostgreSQL apart. */
const processesOf = (root: number): ReadonlyArray<number> => {
  const parents = new Map<number, number>()
  for (const id of readdirSync("/proc").filter((name) => /^\d+$/.test(name)))
    try {
      const stat = readFileSync(`/proc/${id}/stat`, "utf8")
      const nameEnd = stat.lastIndexOf(")")
      if (!stat.slice(0, nameEnd).includes("(postgres"))
        parents.set(Number(id), Number(stat.slice(nameEnd + 2).split(" ")[1]))
    } catch {
      // It ended meanwhile.
    }
  return [root, ...[...parents].filter(([, parent]) => parent === root).map(([id]) => id)]
}

const memoryMiB = (root: number) =>
  processesOf(root).reduce((sum, id) => {
    try {
      return sum + residentMiB(id)
    } catch {
      return sum
    }
  }, 0)

const serving = Effect.fnUntraced(function* (target: Target) {
  const states = yield* Effect.forEach(
    Array.from({ length: modelCount }, (_, id) => id),
    (id) => get(target, `/v1/models/many-${id}/versions/1`),
    { concurrency: 8 },
  )
  return states.filter(({ bytes }) => /"serving":\{"state":"serving"/.test(bytes.toString())).length
})

it.live(`${modelCount} models in memory for ${fitting}`, () =>
  Effect.gen(function* () {
    const { pid, target } = yield* server
    yield* Effect.forEach(
      Array.from({ length: modelCount }, (_, id) => id),
      Effect.fnUntraced(function* (id) {
        const made = yield* upload(target, `many-${id}`, modelOf(id))
        assert.strictEqual(made.status, 201, made.bytes.toString())
      }),
      { concurrency: 2 },
    )
    const next = random(1)
    const agent = new Agent({ keepAlive: true })
    let peakMiB = 0
    let done = 0
    yield* Effect.forEach(
      Array.from({ length: requests }, () => next.int(modelCount)),
      Effect.fnUntraced(function* (id) {
        const { outputs } = yield* predict(target, `many-${id}`, inputs, { agent })
        assert.deepStrictEqual(outputs["y"], [new Array(width).fill(id)])
        if (++done % 20 === 0) peakMiB = Math.max(peakMiB, memoryMiB(pid))
      }),
      { concurrency: 16 },
    )
    agent.destroy()
    assert.isAtMost(peakMiB, budgetMiB + constantMiB)
    const inMemory = yield* serving(target)
    assert.isAtLeast(inMemory, 2)
    assert.isBelow(inMemory, modelCount)
    yield* Effect.logInfo(
      `peak ${Math.round(peakMiB)} MiB, budget ${budgetMiB} MiB, ${inMemory} of ${modelCount} models in memory at the end`,
    )
  }),
)
