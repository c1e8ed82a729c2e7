/** One recorded graph with the names that are known in it: its own and, in a subgraph, those of the graphs around it. */
import type { GraphTensor } from "@modelforge/core"
import { shorten } from "../scanner/shortening.ts"
import type { RecordedGraph, RecordedInitializer, RecordedNode, RecordedTensor } from "./GraphRecord.ts"

/** Dimensions of one tensor that are shown. */
const maxRank = 16

export class GraphScope {
  readonly graph: RecordedGraph
  /** In the file's order, without constants that are shown inside the nodes that take them. */
  readonly nodes: ReadonlyArray<RecordedNode>
  readonly #around: GraphScope | undefined
  readonly #types = new Map<string, RecordedTensor>()
  readonly #stored = new Map<string, RecordedInitializer>()
  readonly #taken = new Map<RecordedNode, ReadonlyArray<string>>()
  readonly #outputs: ReadonlySet<string>
  /** How many nodes take a tensor. */
  readonly #uses = new Map<string, number>()

  constructor(graph: RecordedGraph, around?: GraphScope) {
    this.graph = graph
    this.#around = around
    this.#outputs = new Set(graph.outputs.map(({ name }) => name))
    for (const [name, type] of graph.values) this.#types.set(name, type)
    for (const value of [...graph.inputs, ...graph.outputs]) this.#types.set(value.name, value)
    for (const [name, tensor] of graph.initializers) this.#stored.set(name, tensor)
    for (const node of graph.nodes) {
      const names = takenBy(node)
      this.#taken.set(node, names)
      for (const name of names) this.#uses.set(name, this.uses(name) + 1)
    }
    this.nodes = graph.nodes.filter((node) => !this.#isInlined(node))
  }

  /** A constant is no step of the computation; it is shown like the weights of whoever takes it. */
  #isInlined(node: RecordedNode): boolean {
    const [output, ...more] = node.outputs
    const constant =
      node.operator === "Constant" && node.domain === "ai.onnx" && node.inputs.length === 0
        ? constantOf(node)
        : undefined
    if (constant === undefined || output === undefined || more.length > 0) return false
    if (this.uses(output) === 0 || this.#outputs.has(output)) return false
    this.#stored.set(output, constant)
    return true
  }

  /** How many nodes of this graph take a tensor, those included whose subgraphs do. */
  uses(name: string): number {
    return this.#uses.get(name) ?? 0
  }

  isOutput(name: string): boolean {
    return this.#outputs.has(name)
  }

  /** The tensors that a node takes, each once, and those that its subgraphs take from around them. */
  taken(node: RecordedNode): ReadonlyArray<string> {
    return this.#taken.get(node) ?? []
  }

  /** What is stored in the file under this name, here or around. */
  stored(name: string): RecordedInitializer | undefined {
    return this.#stored.get(name) ?? this.#around?.stored(name)
  }

  tensor(name: string): GraphTensor {
    const { datatype, shape } = this.type(name) ?? { datatype: null, shape: null }
    const isShown = shape !== null && shape.length <= maxRank
    return {
      name: shorten(name),
      datatype,
      shape: isShown
        ? shape.map((size) => (typeof size === "string" ? size.slice(0, 64) : Math.max(-1, size)))
        : null,
    }
  }

  private type(name: string): RecordedTensor | undefined {
    return this.#stored.get(name) ?? this.#types.get(name) ?? this.#around?.type(name)
  }
}

const takenBy = (node: RecordedNode): ReadonlyArray<string> => {
  const names = new Set(node.inputs.filter((name) => name !== ""))
  for (const { graph } of node.bodies) for (const name of takenFromAround(graph)) names.add(name)
  return [...names]
}

const takenFromAround = (graph: RecordedGraph): ReadonlySet<string> => {
  const own = new Set([
    ...graph.inputs.map(({ name }) => name),
    ...graph.initializers.keys(),
    ...graph.nodes.flatMap(({ outputs }) => outputs),
  ])
  const names = [...graph.nodes.flatMap(takenBy), ...graph.outputs.map(({ name }) => name)]
  return new Set(names.filter((name) => name !== "" && !own.has(name)))
}

/** What a Constant holds; undefined when its attribute is none that is known. */
const constantOf = ({ attributes }: RecordedNode): RecordedInitializer | undefined => {
  const [attribute] = attributes
  if (attribute === undefined) return undefined
  // Constants are no parameters.
  if (attribute.tensor !== null) return { ...attribute.tensor, elements: 0 }
  const datatype = constantTypes.get(attribute.name)
  if (datatype === undefined) return undefined
  const { value, length } = attribute
  return { datatype, shape: Array.isArray(value) ? [length ?? value.length] : [], elements: 0 }
}

const constantTypes: ReadonlyMap<string, string> = new Map([
  ["value_float", "FP32"],
  ["value_floats", "FP32"],
  ["value_int", "INT64"],
  ["value_ints", "INT64"],
  ["value_string", "BYTES"],
  ["value_strings", "BYTES"],
])
