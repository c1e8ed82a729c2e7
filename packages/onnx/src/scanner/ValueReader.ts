/** Reads the declarations of inputs and outputs. */
import type { Datatype, Dimension } from "@modelforge/core"
import { datatypes, innerTypes, typeName } from "./elementTypes.ts"
import { type Findings, readable } from "./Findings.ts"
import { MessageReader } from "./ProtoWalker.ts"
import { quote, refuse } from "./Refusal.ts"
import { addDimension } from "./TensorReader.ts"

const kinds: Readonly<Record<number, string>> = {
  1: "a tensor",
  4: "a sequence",
  5: "a map",
  7: "an opaque value",
  8: "a sparse tensor",
  9: "an optional value",
}

/** An input or output as it is declared. It is judged only at the end: initializers may repeat as inputs, of any type. */
export interface DeclaredValue {
  readonly name: string
  /** `a tensor`, `a sequence`, …; null when no type is declared. */
  readonly kind: string | null
  readonly elementType: number
  /** Null when no shape is declared. */
  readonly shape: ReadonlyArray<Dimension> | null
}

/** The datatype of a declared value, or a refusal that names what can't be served. */
export const datatypeOf = (value: DeclaredValue, where: string): Datatype => {
  if (value.kind === null) return refuse("unsupported-type", `${where} declares no type`)
  if (value.kind !== "a tensor") {
    return refuse(
      "unsupported-type",
      `${where} is ${value.kind}; only tensors can be served.${
        value.kind === "a sequence" || value.kind === "a map"
          ? " For models of scikit-learn, export with options={'zipmap': False}."
          : ""
      }`,
    )
  }
  const datatype = datatypes[value.elementType]
  if (datatype !== undefined) return datatype
  const name = innerTypes[value.elementType] ?? `number ${value.elementType}`
  return refuse(
    "unsupported-type",
    `${where} has elements of type ${name}, which ${
      name === "bfloat16" ? "onnxruntime-node can't carry" : "can't be served"
    }. Cast it to float inside the model.`,
  )
}

/** For viewers: a datatype, ONNX's name for another, `sequence`; null when unknown. */
export const shownType = ({ kind, elementType }: DeclaredValue): string | null =>
  kind === null ? null : kind === "a tensor" ? typeName(elementType) : kind.replace(/^an? /, "")

/** `exact`: what callers must know. Of tensors inside the graph, long texts are cut off. */
export type ValueRole = "exact" | "inner"

export class ValueReader extends MessageReader {
  readonly rules
  readonly #findings: Findings
  readonly #what: string
  readonly #role: ValueRole
  readonly #done: (value: DeclaredValue) => void
  readonly #where = () => this.describe()
  #name = ""
  #kind: string | null = null
  #elementType = 0
  #shape: Array<Dimension> | null = null

  constructor(findings: Findings, what: string, role: ValueRole, done: (value: DeclaredValue) => void) {
    super()
    this.rules = findings.fields.value
    this.#findings = findings
    this.#what = what
    this.#role = role
    this.#done = done
  }

  describe(): string {
    return this.#name === "" ? this.#what : `${this.#what} ${quote(this.#name)}`
  }

  override text(_field: number, bytes: Uint8Array): void {
    this.#name = this.#findings.name(bytes, this.#where)
  }

  override open(): MessageReader {
    return new TypeReader(this.#findings, this.#where, {
      role: this.#role,
      kind: (kind) => {
        // Protobuf would merge two declarations, and other readers take the first or the last.
        if (this.#kind !== null) refuse("malformed", `${this.describe()} declares its type twice`)
        this.#kind = kind
      },
      elementType: (type) => {
        this.#elementType = type
      },
      shape: () => {
        if (this.#shape !== null) refuse("malformed", `${this.describe()} declares its shape twice`)
        this.#shape = []
        return this.#shape
      },
    })
  }

  override close(): void {
    this.#done({
      name: this.#name,
      kind: this.#kind,
      elementType: this.#elementType,
      shape: this.#shape,
    })
  }
}

interface TypeTarget {
  readonly role: ValueRole
  readonly kind: (kind: string) => void
  readonly elementType: (type: number) => void
  /** The array that takes the dimensions. */
  readonly shape: () => Array<Dimension>
}

class TypeReader extends MessageReader {
  readonly rules
  readonly #findings: Findings
  readonly #target: TypeTarget
  readonly describe: () => string

  constructor(findings: Findings, where: () => string, target: TypeTarget) {
    super()
    this.rules = findings.fields.type
    this.#findings = findings
    this.#target = target
    this.describe = where
  }

  override open(field: number): MessageReader {
    const kind = kinds[field] ?? "of unknown kind"
    this.#target.kind(kind)
    return kind === "a tensor"
      ? new TensorTypeReader(this.#findings, this.describe, this.#target)
      : new Ignored(this.describe)
  }
}

class TensorTypeReader extends MessageReader {
  readonly rules
  readonly #findings: Findings
  readonly #target: TypeTarget
  readonly describe: () => string

  constructor(findings: Findings, where: () => string, target: TypeTarget) {
    super()
    this.rules = findings.fields.tensorType
    this.#findings = findings
    this.#target = target
    this.describe = where
  }

  override integer(_field: number, value: number): void {
    this.#target.elementType(value)
  }

  override open(): MessageReader {
    return new ShapeReader(this.#findings, this.describe, this.#target)
  }
}

class ShapeReader extends MessageReader {
  readonly rules
  readonly #findings: Findings
  readonly #dimensions: Array<Dimension>
  readonly #role: ValueRole
  readonly describe: () => string

  constructor(findings: Findings, where: () => string, target: TypeTarget) {
    super()
    this.rules = findings.fields.shape
    this.#findings = findings
    this.#dimensions = target.shape()
    this.#role = target.role
    this.describe = where
  }

  override open(): MessageReader {
    return new DimensionReader(this.#findings, this.describe, this.#role, (dimension) =>
      addDimension(this.#dimensions, dimension, this.#findings, this.describe),
    )
  }
}

class DimensionReader extends MessageReader {
  readonly rules
  readonly #findings: Findings
  readonly #role: ValueRole
  readonly #done: (dimension: Dimension) => void
  readonly describe: () => string
  /** A dimension without value and name may have any size. */
  #dimension: Dimension = -1

  constructor(
    findings: Findings,
    where: () => string,
    role: ValueRole,
    done: (dimension: Dimension) => void,
  ) {
    super()
    this.rules = role === "exact" ? findings.fields.dimension : findings.fields.innerDimension
    this.#findings = findings
    this.#role = role
    this.#done = done
    this.describe = where
  }

  override integer(_field: number, value: number): void {
    // Some exporters write -1 for "any size", and the runtime takes it so.
    if (value < -1 || !Number.isSafeInteger(value)) {
      refuse("invalid-shape", `${this.describe()} has a dimension of size ${value}`)
    }
    this.#dimension = value
  }

  override text(_field: number, bytes: Uint8Array): void {
    const name = this.#role === "exact" ? this.#findings.name(bytes, this.describe) : readable(bytes)
    this.#dimension = name === "" ? -1 : name
  }

  override close(): void {
    this.#done(this.#dimension)
  }
}

/** A message whose content does not matter. */
class Ignored extends MessageReader {
  readonly rules = []
  readonly describe: () => string

  constructor(where: () => string) {
    super()
    this.describe = where
  }
}
