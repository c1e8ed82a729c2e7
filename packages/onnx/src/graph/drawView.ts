/** Draws one view: which boxes and lines it has, and where they are. */
import type { GraphBox, GraphEdge, GraphTensor, GraphView } from "@modelforge/core"
import { shorten } from "../scanner/shortening.ts"
import { foldAbove, foldNodes } from "./foldNodes.ts"
import type { RecordedNode } from "./GraphRecord.ts"
import { GraphScope } from "./GraphScope.ts"
import { layoutGraph } from "./layoutGraph.ts"
import { operatorFamily } from "./operatorFamily.ts"

/** Something to draw: nodes of one graph, in its order. */
export interface Drawing {
  readonly kind: GraphView["kind"]
  readonly name: string
  readonly scope: GraphScope
  readonly nodes: ReadonlyArray<RecordedNode>
  /** Told the number of its view. */
  readonly opened?: (view: number) => void
}

export interface Picture {
  readonly view: GraphView
  /** What its boxes hold. */
  readonly inside: ReadonlyArray<Drawing>
  /** It has more inputs, outputs or lines than are drawn. */
  readonly crowded: boolean
}

/** Inputs, and outputs, that one view has boxes for. */
const maxEnds = 64
/** Lines of one view. */
const maxEdges = 2000
/** Tensors that one line names, or a node lists on each side. */
const maxEdgeTensors = 2
const maxNodeTensors = 32
const maxNodeAttributes = 64

const width = 176
const low = 40
const high = 56

export const drawView = (drawing: Drawing): Picture => {
  const canvas = new Canvas(drawing)
  return canvas.picture()
}

/** Keeps what a viewer needs to draw, and drops what it shows when somebody asks for it. */
export const withoutDetails = (view: GraphView): GraphView => ({
  ...view,
  boxes: view.boxes.map((box) =>
    box.kind === "node" ? { ...box, attributes: [], inputs: [], outputs: [], initializers: [] } : box,
  ),
  edges: view.edges.map((edge) => ({ ...edge, tensors: [] })),
})

type Inside = Array<{ label: string; view: number }>
type Placed<Box> = Box extends unknown ? Omit<Box, "x" | "y"> : never
type Unplaced = Placed<GraphBox>

interface Line {
  readonly from: number
  readonly to: number
  readonly tensors: Array<GraphTensor>
  count: number
}

class Canvas {
  readonly #drawing: Drawing
  readonly #scope: GraphScope
  /** In an order in which lines lead forward: inputs, nodes, outputs. */
  readonly #boxes: Array<Unplaced> = []
  readonly #lines = new Map<number, Map<number, Line>>()
  #lineCount = 0
  readonly #inside: Array<Drawing> = []
  #crowded = false
  /** The box that each tensor comes out of. */
  readonly #source = new Map<string, number>()
  readonly #produced: ReadonlySet<string>

  constructor(drawing: Drawing) {
    this.#drawing = drawing
    this.#scope = drawing.scope
    this.#produced = new Set(drawing.nodes.flatMap(({ outputs }) => outputs))
  }

  picture(): Picture {
    const { kind, name, nodes, scope } = this.#drawing
    this.#ends("input", this.#inputs())
    this.#units()
    this.#ends("output", this.#outputs())
    const lines = [...this.#lines.values()].flatMap((lines) => [...lines.values()])
    const layout = layoutGraph(
      this.#boxes,
      lines.map(({ from, to }) => [from, to] as const),
    )
    const boxes = this.#boxes.map((box, index) => ({ ...box, ...(layout.places[index] ?? { x: 0, y: 0 }) }))
    const edges = lines.map(
      ({ from, to, tensors, count }, index): GraphEdge => ({
        from: this.#boxes[from]?.id ?? "",
        to: this.#boxes[to]?.id ?? "",
        tensors,
        count,
        bends: layout.bends[index] ?? [],
      }),
    )
    const view: GraphView = {
      kind,
      name: shorten(name),
      nodes: kind === "group" ? nodes.length : scope.graph.nodes.length,
      boxes,
      edges,
      width: layout.width,
      height: layout.height,
    }
    return { view, inside: this.#inside, crowded: this.#crowded }
  }

  /** Declared inputs, and what a subgraph or a group takes from around it. */
  #inputs(): ReadonlyArray<string> {
    const { kind, nodes } = this.#drawing
    const names = new Set(
      kind === "group"
        ? []
        : this.#scope.graph.inputs
            .map(({ name }) => name)
            .filter((name) => !this.#scope.graph.initializers.has(name)),
    )
    if (kind !== "graph") {
      for (const node of nodes) {
        for (const name of this.#scope.taken(node)) {
          if (!this.#produced.has(name) && this.#scope.stored(name) === undefined) names.add(name)
        }
      }
    }
    return [...names]
  }

  #outputs(): ReadonlyArray<string> {
    const { kind, nodes } = this.#drawing
    if (kind !== "group") return [...new Set(this.#scope.graph.outputs.map(({ name }) => name))]
    const inner = new Map<string, number>()
    for (const node of nodes) {
      for (const name of this.#scope.taken(node)) inner.set(name, (inner.get(name) ?? 0) + 1)
    }
    return [...this.#produced].filter(
      (name) => this.#scope.isOutput(name) || this.#scope.uses(name) > (inner.get(name) ?? 0),
    )
  }

  #ends(kind: "input" | "output", names: ReadonlyArray<string>): void {
    for (const [index, name] of names.slice(0, maxEnds).entries()) {
      if (kind === "output") this.#storedOutput(name)
      const tensor = this.#scope.tensor(name)
      const box = this.#add({ id: `${kind}-${index}`, kind, tensor, width, height: low })
      if (kind === "input") this.#source.set(name, box)
      else this.#connect(name, box)
    }
    this.#crowded ||= names.length > maxEnds
  }

  /** A stored tensor that is an output as it is. */
  #storedOutput(name: string): void {
    if (this.#source.has(name) || this.#scope.stored(name) === undefined) return
    const tensor = this.#scope.tensor(name)
    const id = `initializer-${this.#boxes.length}`
    this.#source.set(name, this.#add({ id, kind: "initializer", tensor, width, height: low }))
  }

  #add(box: Unplaced): number {
    return this.#boxes.push(box) - 1
  }

  #units(): void {
    const { nodes } = this.#drawing
    const operators = nodes.map((node) => operatorName(node))
    const runs = foldNodes({ operators, crossing: nodes.length > foldAbove ? this.#crossing() : [] })
    const patterns = numberPatterns(
      runs.map(({ start, end }) => (end - start > 1 ? operators.slice(start, end).join() : undefined)),
    )
    const first = this.#boxes.length
    for (const [index, { start, end }] of runs.entries()) {
      const members = nodes.slice(start, end)
      const [only] = members
      if (only !== undefined && members.length === 1) this.#node(only, start)
      else this.#group(members, start, operators.slice(start, end), patterns[index] ?? null)
    }
    // Known only now: in a file that is out of order, what a node takes may come after it.
    for (const [index, { start, end }] of runs.entries()) {
      for (const node of nodes.slice(start, end)) {
        for (const name of this.#scope.taken(node)) this.#connect(name, first + index)
      }
    }
  }

  /** How many tensors go from the nodes before each node to it or beyond. */
  #crossing(): ReadonlyArray<number> {
    const { nodes } = this.#drawing
    const madeAt = new Map<string, number>()
    const lastTaken = new Map<string, number>()
    for (const [index, node] of nodes.entries()) {
      for (const name of this.#scope.taken(node)) lastTaken.set(name, index)
      for (const name of node.outputs) madeAt.set(name, index)
    }
    const steps = new Array<number>(nodes.length + 1).fill(0)
    for (const [name, made] of madeAt) {
      const last = lastTaken.get(name) ?? made
      if (last <= made) continue
      steps[made + 1] = (steps[made + 1] ?? 0) + 1
      steps[last + 1] = (steps[last + 1] ?? 0) - 1
    }
    let open = 0
    return steps.map((step) => {
      open += step
      return open
    })
  }

  #connect(name: string, to: number): void {
    const from = this.#source.get(name)
    if (from === undefined || from === to) return
    const lines = this.#lines.get(from) ?? new Map<number, Line>()
    this.#lines.set(from, lines)
    const line = lines.get(to)
    if (line !== undefined) {
      line.count++
      if (line.tensors.length < maxEdgeTensors) line.tensors.push(this.#scope.tensor(name))
    } else if (this.#lineCount < maxEdges) {
      lines.set(to, { from, to, tensors: [this.#scope.tensor(name)], count: 1 })
      this.#lineCount++
    } else this.#crowded = true
  }

  #node(node: RecordedNode, index: number): void {
    const names = this.#scope.taken(node)
    const stored = names.filter((name) => this.#scope.stored(name) !== undefined)
    const tensors = (names: ReadonlyArray<string>) =>
      names.slice(0, maxNodeTensors).map((name) => this.#scope.tensor(name))
    const outputs = node.outputs.filter((name) => name !== "")
    const inside: Inside = []
    const box = this.#add({
      id: `node-${index}`,
      kind: "node",
      name: shorten(node.name),
      operator: shorten(node.operator),
      domain: shorten(node.domain),
      family: operatorFamily(node.operator),
      attributes: node.attributes.slice(0, maxNodeAttributes),
      inputs: tensors(names.filter((name) => this.#scope.stored(name) === undefined)),
      outputs: tensors(outputs),
      initializers: tensors(stored),
      parameters: this.#parameters(stored),
      inside,
      width,
      height: stored.length > 0 ? high : low,
    })
    for (const name of outputs) this.#source.set(name, box)
    for (const { attribute, graph } of node.bodies) {
      const scope = new GraphScope(graph, this.#scope)
      const opened = (view: number) => inside.push({ label: shorten(attribute), view })
      this.#inside.push({ kind: "subgraph", name: graph.name, scope, nodes: scope.nodes, opened })
    }
  }

  #group(
    members: ReadonlyArray<RecordedNode>,
    index: number,
    operators: ReadonlyArray<string>,
    pattern: number | null,
  ): void {
    const counts = new Map<string, number>()
    for (const operator of operators) counts.set(operator, (counts.get(operator) ?? 0) + 1)
    const sorted = [...counts].sort(([, left], [, right]) => right - left)
    const name = sharedName(members) ?? sorted.slice(0, 3).map(describeCount).join(", ")
    const stored = new Set(members.flatMap((node) => this.#scope.taken(node)))
    const inside: Inside = []
    const box = this.#add({
      id: `group-${index}`,
      kind: "group",
      name: shorten(name),
      nodes: members.length,
      operators: Object.fromEntries(sorted.slice(0, maxNodeTensors)),
      parameters: this.#parameters([...stored]),
      pattern,
      inside,
      width,
      height: high,
    })
    for (const node of members) {
      for (const output of node.outputs) if (output !== "") this.#source.set(output, box)
    }
    const opened = (view: number) => inside.push({ label: "contents", view })
    this.#inside.push({ kind: "group", name, scope: this.#scope, nodes: members, opened })
  }

  #parameters(names: ReadonlyArray<string>): number {
    return names.reduce((total, name) => total + (this.#scope.stored(name)?.elements ?? 0), 0)
  }
}

const operatorName = ({ operator, domain }: RecordedNode): string =>
  shorten(domain === "ai.onnx" ? operator : `${domain}.${operator}`)

const describeCount = ([operator, count]: readonly [string, number]): string =>
  count === 1 ? operator : `${operator} ×${count}`

/** The same number for the same text, if it comes more than once. */
const numberPatterns = (texts: ReadonlyArray<string | undefined>): ReadonlyArray<number | null> => {
  const counts = new Map<string, number>()
  for (const text of texts) if (text !== undefined) counts.set(text, (counts.get(text) ?? 0) + 1)
  const numbers = new Map<string, number>()
  return texts.map((text) => {
    if (text === undefined || (counts.get(text) ?? 0) < 2) return null
    const number = numbers.get(text) ?? numbers.size
    numbers.set(text, number)
    return number
  })
}

/** The scope that all names share: `/encoder/layer.0` of `/encoder/layer.0/query/MatMul` and `/encoder/layer.0/key/Add`. */
const sharedName = (nodes: ReadonlyArray<RecordedNode>): string | undefined => {
  let shared: ReadonlyArray<string> | undefined
  for (const { name } of nodes) {
    const scopes = name.split("/").slice(0, -1)
    const before: ReadonlyArray<string> = shared ?? scopes
    const differs = before.findIndex((scope, index) => scope !== scopes[index])
    shared = differs < 0 ? before : before.slice(0, differs)
    if (shared.length === 0) return undefined
  }
  const name = shared?.join("/") ?? ""
  return name === "" ? undefined : name
}
