/** Reads graphs and their nodes. */
import type { GraphAttribute } from "@modelforge/core"
import type { RecordedBody, RecordedGraph } from "../graph/GraphRecord.ts"
import { AttributeReader, type OpenGraph, type ReadAttribute } from "./AttributeReader.ts"
import { typeName } from "./elementTypes.ts"
import type { Findings } from "./Findings.ts"
import { MessageReader } from "./ProtoWalker.ts"
import { quote, refuse } from "./Refusal.ts"
import { SparseTensorReader, type StoredTensor, TensorReader } from "./TensorReader.ts"
import { type DeclaredValue, shownType, ValueReader } from "./ValueReader.ts"

/** What the main graph declares; other graphs are only checked. */
export class Declarations {
  readonly inputs: Array<DeclaredValue> = []
  readonly outputs: Array<DeclaredValue> = []
  readonly initializers = new Set<string>()
}

export class GraphReader extends MessageReader {
  readonly rules
  readonly #findings: Findings
  readonly #what: () => string
  readonly #record: RecordedGraph | undefined
  readonly #declarations: Declarations | undefined
  #name = ""
  readonly #where = () => this.describe()

  /** `record` takes what viewers are shown. */
  constructor(
    findings: Findings,
    what: () => string,
    record?: RecordedGraph | undefined,
    declarations?: Declarations,
  ) {
    super()
    this.rules = findings.fields.graph
    this.#findings = findings
    this.#what = what
    this.#record = record
    this.#declarations = declarations
  }

  describe(): string {
    return this.#name === "" ? this.#what() : `${this.#what()} ${quote(this.#name)}`
  }

  override text(_field: number, bytes: Uint8Array): void {
    this.#name = this.#findings.name(bytes, this.#where)
    if (this.#record !== undefined) this.#record.name = this.#name
  }

  override open(field: number): MessageReader {
    switch (field) {
      case 1:
        return new NodeReader(this.#findings, this.#where, this.#record)
      case 5:
        return new TensorReader(this.#findings, {
          what: () => `an initializer of ${this.describe()}`,
          parameters: true,
          done: this.#initializer,
        })
      case 15:
        return new SparseTensorReader(this.#findings, {
          what: () => `a sparse initializer of ${this.describe()}`,
          parameters: true,
          done: this.#initializer,
        })
      case 11:
        return new ValueReader(this.#findings, "the input", this.#role, (value) => {
          this.#declare(this.#declarations?.inputs, value)
          this.#record?.addValue(this.#record.inputs, shown(value))
        })
      case 12:
        return new ValueReader(this.#findings, "the output", this.#role, (value) => {
          this.#declare(this.#declarations?.outputs, value)
          this.#record?.addValue(this.#record.outputs, shown(value))
        })
      default:
        return new ValueReader(this.#findings, "the tensor", "inner", (value) =>
          this.#record?.addType(shown(value)),
        )
    }
  }

  get #role() {
    return this.#declarations === undefined ? "inner" : "exact"
  }

  readonly #initializer = ({ name, elementType, dims, elements }: StoredTensor): void => {
    this.#record?.addInitializer(name, { datatype: typeName(elementType), shape: dims, elements })
    if (this.#declarations === undefined) return
    if (this.#declarations.initializers.has(name)) {
      refuse(
        "duplicate-name",
        `${this.describe()} has two initializers named ${quote(name)}. Give each a name of its own.`,
      )
    }
    this.#findings.remember(name)
    this.#declarations.initializers.add(name)
  }

  #declare(into: Array<DeclaredValue> | undefined, value: DeclaredValue): void {
    if (into === undefined) return
    const { limits } = this.#findings
    if (into.length >= limits.values) {
      refuse("limit-exceeded", `${this.describe()} has more than ${limits.values} inputs or outputs`)
    }
    this.#findings.remember(value.name)
    for (const size of value.shape ?? []) this.#findings.remember(typeof size === "string" ? size : "")
    into.push(value)
  }
}

/** Graphs hold nodes, whose attributes hold graphs. */
export const openGraph: OpenGraph = (findings, what, record) => new GraphReader(findings, what, record)

const shown = (value: DeclaredValue) => ({
  name: value.name,
  datatype: shownType(value),
  shape: value.shape,
})

/** Bytes of memory for the names of one node's inputs and outputs. */
const maxNamesBytes = 1024 * 1024

/** Also the nodes of local functions; `where` tells of the graph or function that holds the node. */
export class NodeReader extends MessageReader {
  readonly rules
  readonly #findings: Findings
  readonly #holder: () => string
  readonly #record: RecordedGraph | undefined
  readonly #inputs: Array<string> = []
  readonly #outputs: Array<string> = []
  readonly #attributeNames = new Set<string>()
  readonly #attributes: Array<GraphAttribute> = []
  readonly #bodies: Array<RecordedBody> = []
  #namesBytes = 0
  #name = ""
  #op = ""
  #domain = ""
  readonly #where = () => this.describe()

  constructor(findings: Findings, holder: () => string, record?: RecordedGraph | undefined) {
    super()
    this.rules = findings.fields.node
    this.#findings = findings
    this.#holder = holder
    this.#record = record
  }

  describe(): string {
    const op = this.#op === "" ? "" : ` (${quote(this.#op).slice(1, -1)})`
    return this.#name === "" ? `a node${op} of ${this.#holder()}` : `the node ${quote(this.#name)}${op}`
  }

  override text(field: number, bytes: Uint8Array): void {
    const text = this.#findings.name(bytes, this.#where)
    if (field === 3) this.#name = text
    else if (field === 4) this.#op = text
    else if (field === 7) this.#domain = text
    else if (this.#record !== undefined) {
      this.#connect(this.#record, field === 1 ? this.#inputs : this.#outputs, text)
    }
  }

  /** Names are kept until the node is complete, so one node alone must not fill the memory. */
  #connect(record: RecordedGraph, names: Array<string>, name: string): void {
    this.#namesBytes += 2 * name.length + 24
    if (this.#namesBytes > maxNamesBytes) record.omittedTensors++
    else names.push(name)
  }

  override open(): MessageReader {
    return new AttributeReader(this.#findings, {
      holder: this.#where,
      openGraph,
      recorded: this.#record !== undefined,
      done: this.#attribute,
    })
  }

  readonly #attribute = ({ name, shown, bodies }: ReadAttribute): void => {
    if (this.#attributeNames.has(name)) {
      refuse("duplicate-name", `${this.describe()} has two attributes named ${quote(name)}`)
    }
    const { attributes } = this.#findings.limits
    if (this.#attributeNames.size >= attributes) {
      refuse("limit-exceeded", `${this.describe()} has more than ${attributes} attributes`)
    }
    this.#attributeNames.add(name)
    if (this.#record === undefined) return
    this.#attributes.push(shown)
    this.#bodies.push(...bodies)
  }

  override close(): void {
    this.#findings.node(this.#domain, this.#op, this.#where)
    this.#record?.addNode({
      name: this.#name,
      operator: this.#op,
      domain: this.#domain === "" ? "ai.onnx" : this.#domain,
      inputs: this.#inputs,
      outputs: this.#outputs,
      attributes: this.#attributes,
      bodies: this.#bodies,
    })
  }
}
