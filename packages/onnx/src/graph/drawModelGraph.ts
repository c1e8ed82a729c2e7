/** Turns what was kept of a file's graphs into the drawings that viewers get. */
import type { GraphView, ModelGraph } from "@modelforge/core"
import { type Drawing, drawView, type Picture, withoutDetails } from "./drawView.ts"
import type { RecordedGraph } from "./GraphRecord.ts"
import { GraphScope } from "./GraphScope.ts"

/** Views of one model; a viewer opens them one at a time. */
const maxViews = 2000

/**
 * Draws the main graph first, then what is inside its boxes, and so on inwards, so that a limit cuts off what is
 * deepest. Never fails: what is beyond a limit is left out, and the notes say so. Pauses after every view.
 */
export function* drawModelGraph(graph: RecordedGraph, maxBytes: number): Generator<void, ModelGraph> {
  const views: Array<GraphView> = []
  const notes = new Set<string>()
  const scope = new GraphScope(graph)
  const waiting: Array<Drawing> = [{ kind: "graph", name: graph.name, scope, nodes: scope.nodes }]
  let bytes = 0
  let closed = 0
  let plain = false
  let crowded = false

  /** Adds the picture if it fits, without its details if it only fits so. */
  const add = (picture: Picture): boolean => {
    for (const view of [picture.view, withoutDetails(picture.view)]) {
      const size = Buffer.byteLength(JSON.stringify(view))
      if (bytes + size > maxBytes || views.length >= maxViews) continue
      bytes += size
      views.push(view)
      plain ||= view !== picture.view
      return true
    }
    return false
  }

  for (const next of waiting) {
    // What comes later would hardly fit either, and drawing it takes time.
    const picture = closed === 0 ? drawView(next) : undefined
    if (picture === undefined || !add(picture)) {
      closed++
      continue
    }
    next.opened?.(views.length - 1)
    waiting.push(...picture.inside)
    crowded ||= picture.crowded
    yield
  }

  const omitted = omittedIn(graph)
  if (omitted.nodes > 0) {
    notes.add(`The model is too large to be drawn whole: its last ${omitted.nodes} nodes are left out.`)
  }
  if (omitted.tensors > 0) notes.add(`Names or types of ${omitted.tensors} tensors are left out.`)
  if (crowded) notes.add("Where there are very many inputs, outputs or lines, some are not drawn.")
  if (plain) notes.add("The attributes and tensors of some nodes are left out.")
  if (views.length === 0) {
    notes.add("The drawing of the model is beyond the limit.")
    views.push({
      kind: "graph",
      name: "",
      nodes: graph.nodes.length,
      boxes: [],
      edges: [],
      width: 0,
      height: 0,
    })
  } else if (closed > 0) notes.add(`What is inside ${closed} groups or subgraphs is left out.`)
  return { views, complete: notes.size === 0, notes: [...notes] }
}

const omittedIn = (graph: RecordedGraph): { readonly nodes: number; readonly tensors: number } => {
  let [nodes, tensors] = [graph.omittedNodes, graph.omittedTensors]
  for (const node of graph.nodes) {
    for (const body of node.bodies) {
      const inner = omittedIn(body.graph)
      nodes += inner.nodes
      tensors += inner.tensors
    }
  }
  return { nodes, tensors }
}
