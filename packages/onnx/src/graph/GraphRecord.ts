/** What is kept of a file's graphs while it is scanned: names and types, within a budget, never weights. */
import type { Dimension, GraphAttribute } from "@modelforge/core"

export interface RecordedTensor {
  /** A datatype of the protocol, ONNX's name for another, or null when unknown. */
  readonly datatype: string | null
  readonly shape: ReadonlyArray<Dimension> | null
}

export interface RecordedValue extends RecordedTensor {
  readonly name: string
}

export interface RecordedInitializer extends RecordedTensor {
  /** Elements that are stored; a sparse tensor stores fewer than its shape holds. */
  readonly elements: number
}

export interface RecordedNode {
  readonly name: string
  readonly operator: string
  /** `ai.onnx` for ONNX's own operators. */
  readonly domain: string
  /** Empty names stand for optional ones that are left out. */
  readonly inputs: ReadonlyArray<string>
  readonly outputs: ReadonlyArray<string>
  readonly attributes: ReadonlyArray<GraphAttribute>
  readonly bodies: ReadonlyArray<RecordedBody>
}

/** A graph in an attribute. */
export interface RecordedBody {
  readonly attribute: string
  readonly graph: RecordedGraph
}

/** What a whole scan may keep of graphs. */
export class GraphBudget {
  #nodes: number
  #bytes: number

  constructor(limits: { readonly graphNodes: number; readonly graphScanBytes: number }) {
    this.#nodes = limits.graphNodes
    this.#bytes = limits.graphScanBytes
  }

  /** Whether something of this size may be kept. Once something was too large, smaller things may still fit. */
  take(bytes: number): boolean {
    if (bytes > this.#bytes) return false
    this.#bytes -= bytes
    return true
  }

  takeNode(bytes: number): boolean {
    if (this.#nodes === 0 || !this.take(bytes)) {
      // What comes after a node that is missing hangs in the air.
      this.#nodes = 0
      return false
    }
    this.#nodes--
    return true
  }
}

/** Estimated bytes of a text in memory. */
const sizeOf = (text: string): number => 2 * text.length + 24
const sizeOfAll = (texts: ReadonlyArray<string>): number =>
  texts.reduce((total, text) => total + sizeOf(text), 0)
const sizeOfShape = (shape: RecordedTensor["shape"]): number =>
  (shape ?? []).reduce<number>((total, size) => total + (typeof size === "string" ? sizeOf(size) : 8), 64)

const sizeOfAttribute = ({ name, value, tensor }: GraphAttribute): number =>
  160 +
  sizeOf(name) +
  (typeof value === "string" ? sizeOf(value) : 0) +
  (Array.isArray(value)
    ? value.reduce((n, item) => n + (typeof item === "string" ? sizeOf(item) : 8), 0)
    : 0) +
  (tensor === null ? 0 : sizeOfShape(tensor.shape))

export class RecordedGraph {
  name = ""
  readonly nodes: Array<RecordedNode> = []
  /** Nodes that were beyond the budget. */
  omittedNodes = 0
  /** Names and types that were beyond it. */
  omittedTensors = 0
  readonly inputs: Array<RecordedValue> = []
  readonly outputs: Array<RecordedValue> = []
  readonly initializers = new Map<string, RecordedInitializer>()
  /** Types of tensors between nodes, where the file tells them. */
  readonly values = new Map<string, RecordedTensor>()
  readonly #budget: GraphBudget

  constructor(budget: GraphBudget) {
    this.#budget = budget
  }

  addNode(node: RecordedNode): void {
    const size =
      300 +
      sizeOf(node.name) +
      sizeOfAll(node.inputs) +
      sizeOfAll(node.outputs) +
      node.attributes.reduce((total, attribute) => total + sizeOfAttribute(attribute), 0)
    if (this.#budget.takeNode(size)) this.nodes.push(node)
    else this.omittedNodes++
  }

  /** An input or output; beyond the budget it is only missing in the picture. */
  addValue(into: Array<RecordedValue>, value: RecordedValue): void {
    if (this.#budget.take(100 + sizeOf(value.name) + sizeOfShape(value.shape))) into.push(value)
    else this.omittedTensors++
  }

  addInitializer(name: string, tensor: RecordedInitializer): void {
    if (this.#budget.take(150 + sizeOf(name) + sizeOfShape(tensor.shape))) this.initializers.set(name, tensor)
    else this.omittedTensors++
  }

  addType({ name, datatype, shape }: RecordedValue): void {
    if (this.#budget.take(150 + sizeOf(name) + sizeOfShape(shape))) this.values.set(name, { datatype, shape })
    else this.omittedTensors++
  }
}
