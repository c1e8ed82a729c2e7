/** Large graphs come to drawings of bounded size. The largest only with MODELFORGE_SOAK=1. */
import { assert, it } from "@effect/vitest"
import type { ModelGraph } from "@modelforge/core"
import { random } from "../../../core/test/random.ts"
import * as onnx from "../onnxFile.ts"
import { chain } from "./chain.ts"
import { draw, mainView } from "./drawing.ts"

const counts = process.env["MODELFORGE_SOAK"] === "1" ? [10_000, 100_000] : [10_000]
const mebibyte = 1024 * 1024
const { elementType: type } = onnx

/** `count` nodes of which each takes an output of any before it, and one of the last thirty. */
const tangle = (count: number): Uint8Array => {
  const { int } = random(count)
  return onnx.oneNode(new Uint8Array(), {
    nodes: Array.from({ length: count }, (_, at) => {
      const before = (back: number) => (at === 0 ? "x" : `t${Math.max(0, at - 1 - back)}`)
      return onnx.node(
        `Op${int(9)}`,
        [before(int(at + 1)), before(int(30))],
        [at === count - 1 ? "y" : `t${at}`],
      )
    }),
    inputs: [onnx.value("x", type.FP32, ["n"])],
  })
}

const isBounded = (graph: ModelGraph) => {
  assert.isAtMost(Buffer.byteLength(JSON.stringify(graph)), 4 * mebibyte + 10_000)
  assert.isBelow(mainView(graph).boxes.length, 250 + 2 * 64)
}

for (const count of counts) {
  const timeout = 3_600_000
  it(`${count} nodes in blocks come to a bounded drawing that says what it leaves out`, { timeout }, () => {
    const graph = draw(chain(count))
    isBounded(graph)
    assert.strictEqual(mainView(graph).nodes, Math.min(count, 20_000))
    assert.match(graph.notes.join(), /inside \d+ groups or subgraphs is left out/)
    assert.isAbove(graph.views.length, 30)
  })

  it(`${count} nodes without any order come to a bounded drawing`, { timeout }, () => {
    isBounded(draw(tangle(count)))
  })
}
