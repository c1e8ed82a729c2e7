/** Graphs as the scanner draws them. */
import { assert } from "@effect/vitest"
import { type GraphBox, type GraphView, ModelGraph } from "@modelforge/core"
import type { ScanLimits } from "@modelforge/onnx"
import { Effect, Schema } from "effect"
import { scan } from "../scanner/scanning.ts"

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
