/** Reads graphs, their nodes and what is nested in the nodes' attributes. */
import type { Findings } from "./Findings.ts"
import { MessageReader } from "./ProtoWalker.ts"
import { quote, refuse } from "./Refusal.ts"
import { SparseTensorReader, TensorReader } from "./TensorReader.ts"
import { type DeclaredValue, ValueReader } from "./ValueReader.ts"

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
  readonly #declarations: Declarations | undefined
  #name = ""
  readonly #where = () => this.describe()

  constructor(findings: Findings, what: () => string, declarations?: Declarations) {
    super()
    this.rules = findings.fields.graph
    this.#findings = findings
    this.#what = what
    this.#declarations = declarations
  }

  describe(): string {
    return this.#name === "" ? this.#what() : `${this.#what()} ${quote(this.#name)}`
  }

  override text(_field: number, bytes: Uint8Array): void {
    this.#name = this.#findings.name(bytes, this.#where)
  }

  override open(field: number): MessageReader {
    switch (field) {
      case 1:
        return new NodeReader(this.#findings, this.#where)
      case 5:
        return new TensorReader(this.#findings, {
          what: () => `an initializer of ${this.describe()}`,
          parameters: true,
          named: this.#initializer,
        })
      case 15:
        return new SparseTensorReader(this.#findings, {
          what: () => `a sparse initializer of ${this.describe()}`,
          parameters: true,
          named: this.#initializer,
        })
      case 11:
        return new ValueReader(this.#findings, "the input", (value) =>
          this.#declare(this.#declarations?.inputs, value),
        )
      default:
        return new ValueReader(this.#findings, "the output", (value) =>
          this.#declare(this.#declarations?.outputs, value),
        )
    }
  }

  readonly #initializer = (name: string): void => {
    if (this.#declarations === undefined) return
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

/** Also the nodes of local functions; `where` tells of the graph or function that holds the node. */
export class NodeReader extends MessageReader {
  readonly rules
  readonly #findings: Findings
  readonly #holder: () => string
  #name = ""
  #op = ""
  #domain = ""
  readonly #where = () => this.describe()

  constructor(findings: Findings, holder: () => string) {
    super()
    this.rules = findings.fields.node
    this.#findings = findings
    this.#holder = holder
  }

  describe(): string {
    const op = this.#op === "" ? "" : ` (${quote(this.#op).slice(1, -1)})`
    return this.#name === "" ? `a node${op} of ${this.#holder()}` : `the node ${quote(this.#name)}${op}`
  }

  override text(field: number, bytes: Uint8Array): void {
    const text = this.#findings.name(bytes, this.#where)
    if (field === 3) this.#name = text
    else if (field === 4) this.#op = text
    else this.#domain = text
  }

  override open(): MessageReader {
    return new AttributeReader(this.#findings, this.#where)
  }

  override close(): void {
    this.#findings.node(this.#domain, this.#op, this.#where)
  }
}

export class AttributeReader extends MessageReader {
  readonly rules
  readonly #findings: Findings
  readonly #holder: () => string
  #name = ""
  readonly #where = () => this.describe()

  constructor(findings: Findings, holder: () => string) {
    super()
    this.rules = findings.fields.attribute
    this.#findings = findings
    this.#holder = holder
  }

  describe(): string {
    return `the attribute ${quote(this.#name)} of ${this.#holder()}`
  }

  override text(_field: number, bytes: Uint8Array): void {
    this.#name = this.#findings.name(bytes, this.#where)
  }

  override open(field: number): MessageReader {
    switch (field) {
      case 6:
      case 11:
        return new GraphReader(this.#findings, () => `the subgraph in ${this.describe()}`)
      case 22:
      case 23:
        return new SparseTensorReader(this.#findings, {
          what: () => `the sparse tensor in ${this.describe()}`,
          parameters: false,
        })
      default:
        return new TensorReader(this.#findings, {
          what: () => `the tensor in ${this.describe()}`,
          parameters: false,
        })
    }
  }
}
