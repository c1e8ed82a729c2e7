/** Graphs as the scanner draws them, and graphs to draw. */
import { assert } from "@effect/vitest"
import { type GraphBox, type GraphView, ModelGraph } from "@modelforge/core"
import type { ScanLimits } from "@modelforge/onnx"
import { Effect, Schema } from "effect"
import * as onnx from "../onnxFile.ts"
import { scan } from "../scanner/scanning.ts"

const { elementType: type } = onnx

/** Scans a file and checks what every graph must keep to: its schema, unique ids, lines between boxes, views that exist. */
export const draw = (file: Uint8Array, limits: Partial<ScanLimits> = {}): ModelGraph => {
  const { graph } = Effect.runSync(scan([file], limits))
  assert.isTrue(Schema.is(ModelGraph)(graph))
  const opened = new Set([0])
  for (const view of graph.views) {
    const ids = new Set(view.boxes.map(({ id }) => id))
    assert.strictEqual(ids.size, view.boxes.length)
    assert.isAtMost(view.boxes.length, 250 + 3 * 64)
    assert.isAtMost(view.edges.length, 2000)
    for (const { from, to } of view.edges) assert.isTrue(ids.has(from) && ids.has(to))
    for (const { view: inner } of view.boxes.flatMap((box) => ("inside" in box ? box.inside : []))) {
      assert.isFalse(opened.has(inner), "a view inside two boxes")
      assert.isBelow(inner, graph.views.length)
      opened.add(inner)
    }
  }
  assert.strictEqual(opened.size, graph.views.length)
  assert.strictEqual(graph.complete, graph.notes.length === 0)
  return graph
}

export const mainView = (graph: ModelGraph): GraphView => {
  const [view] = graph.views
  if (view === undefined) throw new Error("no view")
  return view
}

const titleOf = (box: GraphBox): string => {
  switch (box.kind) {
    case "node":
      return box.operator
    case "group":
      return `[${box.nodes}]`
    default:
      return box.tensor.name
  }
}

/** `x > Conv: n,3`: lines as texts, with the shape of their first tensor. */
export const lines = ({ boxes, edges }: GraphView): ReadonlyArray<string> => {
  const titles = new Map(boxes.map((box) => [box.id, titleOf(box)]))
  return edges.map(
    ({ from, to, tensors }) => `${titles.get(from)} > ${titles.get(to)}: ${tensors[0]?.shape?.join() ?? "?"}`,
  )
}

export const nodeBox = (view: GraphView, operator: string) => {
  const box = view.boxes.find((box) => box.kind === "node" && box.operator === operator)
  if (box?.kind !== "node") throw new Error(`no ${operator}`)
  return box
}

const block = ["MatMul", "Add", "Relu", "LayerNormalization", "Mul", "Softmax", "Transpose"]

/** A chain of `count` nodes in blocks of seven, each with a weight and a declared type, and a line past three nodes. */
export const chain = (count: number): Uint8Array => {
  const weights: Array<Uint8Array> = []
  const types: Array<Uint8Array> = []
  const nodes = Array.from({ length: count }, (_, at) => {
    const operator = block[at % block.length] ?? ""
    const skips = operator === "Mul" && at > 4
    if (!skips) weights.push(onnx.tensor(`w${at}`, type.FP32, [4, 4]))
    types.push(onnx.bytes(13, onnx.value(`t${at}`, type.FP32, ["n", 4])))
    return onnx.node(
      operator,
      [at === 0 ? "x" : `t${at - 1}`, skips ? `t${at - 4}` : `w${at}`],
      [at === count - 1 ? "y" : `t${at}`],
      {
        name: `/layers/layer.${Math.floor(at / block.length)}/node.${at}`,
        attributes: [onnx.attributeInt("axis", at)],
      },
    )
  })
  return onnx.model({
    nodes,
    initializers: weights,
    inputs: [onnx.value("x", type.FP32, ["n", 4])],
    outputs: [onnx.value("y", type.FP32, ["n", 4])],
    rest: types,
  })
}
