/** Reads attributes, and everything that is nested in them. */
import type { GraphAttribute } from "@modelforge/core"
import { type RecordedBody, RecordedGraph } from "../graph/GraphRecord.ts"
import { typeName } from "./elementTypes.ts"
import { type Findings, readable } from "./Findings.ts"
import { MessageReader } from "./ProtoWalker.ts"
import { quote } from "./Refusal.ts"
import { keptElements, keptText, shorten } from "./shortening.ts"
import { SparseTensorReader, type StoredTensor, TensorReader } from "./TensorReader.ts"

/** What an attribute is worth to its node: its name, what viewers are shown, and the graphs in it. */
export interface ReadAttribute {
  readonly name: string
  readonly shown: GraphAttribute
  readonly bodies: ReadonlyArray<RecordedBody>
}

/** Reads a graph inside an attribute; given by those who read graphs. */
export type OpenGraph = (
  findings: Findings,
  what: () => string,
  record: RecordedGraph | undefined,
) => MessageReader

export interface AttributePlace {
  readonly holder: () => string
  readonly openGraph: OpenGraph
  /** The graphs in it are kept for viewers. */
  readonly recorded: boolean
  /** Told of the attribute when it is complete. */
  readonly done?: (attribute: ReadAttribute) => void
}

type Value = number | string

/** What an attribute is whose value a file leaves out because it is zero or empty, by AttributeType. */
const emptyValues: Readonly<Record<number, GraphAttribute["value"]>> = {
  1: 0,
  2: 0,
  3: "",
  6: [],
  7: [],
  8: [],
}

export class AttributeReader extends MessageReader {
  readonly rules
  readonly #findings: Findings
  readonly #place: AttributePlace
  #name = ""
  #type = 0
  #single: Value | undefined
  readonly #list: Array<Value> = []
  /** Elements of the list, or bytes of the text. */
  #length = 0
  #tensor: StoredTensor | undefined
  readonly #graphs: Array<RecordedGraph> = []
  readonly #where = () => this.describe()

  constructor(findings: Findings, place: AttributePlace) {
    super()
    this.rules = findings.fields.attribute
    this.#findings = findings
    this.#place = place
  }

  describe(): string {
    return `the attribute ${quote(this.#name)} of ${this.#place.holder()}`
  }

  override integer(field: number, value: number): void {
    if (field === 20) this.#type = value
    else this.#add(field === 8, jsonNumber(value), 1)
  }

  override text(field: number, bytes: Uint8Array, length: number): void {
    if (field === 1) this.#name = this.#findings.name(bytes, this.#where)
    else if (field === 4) {
      this.#single = readable(bytes)
      this.#length = length
    } else if (field === 9) this.#add(true, shorten(readable(bytes)), 1)
    else this.#floats(field === 7, bytes, length / 4)
  }

  #floats(repeated: boolean, bytes: Uint8Array, count: number): void {
    if (this.#list.length < keptElements) {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
      for (let at = 0; at < bytes.length; at += 4) {
        this.#add(repeated, jsonNumber(shortFloat(view.getFloat32(at, true))), 0)
      }
    }
    this.#length += count
  }

  #add(repeated: boolean, value: Value, count: number): void {
    this.#length += count
    if (!repeated) this.#single = value
    else if (this.#list.length < keptElements) this.#list.push(value)
  }

  override open(field: number): MessageReader {
    switch (field) {
      case 6:
      case 11: {
        const record = this.#place.recorded ? new RecordedGraph(this.#findings.budget) : undefined
        if (record !== undefined) this.#graphs.push(record)
        return this.#place.openGraph(this.#findings, () => `the subgraph in ${this.describe()}`, record)
      }
      case 22:
      case 23:
        return new SparseTensorReader(this.#findings, {
          what: () => `the sparse tensor in ${this.describe()}`,
          parameters: false,
          done: this.#first,
        })
      default:
        return new TensorReader(this.#findings, {
          what: () => `the tensor in ${this.describe()}`,
          parameters: false,
          done: this.#first,
        })
    }
  }

  readonly #first = (tensor: StoredTensor): void => {
    this.#tensor ??= tensor
    this.#length++
  }

  override close(): void {
    this.#place.done?.({
      name: this.#name,
      shown: this.#shown(),
      bodies: this.#graphs.map((graph) => ({ attribute: this.#name, graph })),
    })
  }

  #shown(): GraphAttribute {
    const name = shorten(this.#name)
    if (this.#tensor !== undefined) {
      const { name: tensorName, elementType, dims } = this.#tensor
      const tensor = { name: shorten(tensorName), datatype: typeName(elementType), shape: dims }
      return { name, value: null, length: this.#length > 1 ? this.#length : null, tensor }
    }
    const common = { name, tensor: null }
    if (this.#list.length > 0) {
      return {
        ...common,
        value: this.#list,
        length: this.#length > this.#list.length ? this.#length : null,
      }
    }
    if (this.#single === undefined) {
      return { ...common, value: emptyValues[this.#type] ?? null, length: null }
    }
    const cut = typeof this.#single === "string" && this.#length > keptText
    return { ...common, value: this.#single, length: cut ? this.#length : null }
  }
}

/** JSON has no number for these. */
const jsonNumber = (value: number): Value => (Number.isFinite(value) ? value : String(value))

/** The shortest decimal number that is this 32-bit float: 0.1, not 0.10000000149011612. */
const shortFloat = (value: number): number => {
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits))
    if (Math.fround(short) === value) return short
  }
  return value
}
