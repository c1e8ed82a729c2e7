/** Reads the headers of stored tensors, and refuses those whose elements are not in the file. */
import { elementBits, typeName } from "./elementTypes.ts"
import { type Findings, readable } from "./Findings.ts"
import { MessageReader } from "./ProtoWalker.ts"
import { quote, refuse } from "./Refusal.ts"

/** Product of stored dimensions; refuses what no tensor can have. */
export const elements = (dims: ReadonlyArray<number>, where: () => string): number => {
  let product = 1
  for (const size of dims) {
    if (size < 0) refuse("invalid-shape", `${where()} has a negative dimension in [${dims.join(", ")}]`)
    product *= size
    if (!Number.isSafeInteger(size) || !Number.isSafeInteger(product)) {
      refuse("invalid-shape", `${where()} has more elements than can be counted: [${dims.join(", ")}]`)
    }
  }
  return product
}

export const addDimension = <D>(dims: Array<D>, size: D, { limits }: Findings, where: () => string): void => {
  if (dims.length >= limits.rank) {
    refuse("limit-exceeded", `${where()} has more than ${limits.rank} dimensions`)
  }
  dims.push(size)
}

/** What a stored tensor says of itself. */
export interface StoredTensor {
  readonly name: string
  readonly elementType: number
  readonly dims: ReadonlyArray<number>
  /** Elements that are stored; a sparse tensor stores fewer than its dimensions hold. */
  readonly elements: number
}

export interface TensorPlace {
  /** What the tensor is, before its name is known: `an initializer of the graph "g"`. */
  readonly what: () => string
  /** The elements count as parameters of the model. */
  readonly parameters: boolean
  /** Told of the tensor when it is complete. */
  readonly done?: (tensor: StoredTensor) => void
}

export class TensorReader extends MessageReader {
  readonly rules
  readonly #findings: Findings
  readonly #place: TensorPlace
  readonly #dims: Array<number> = []
  readonly #where = () => this.describe()
  #name = ""
  #elementType = 0
  #rawBytes = -1
  #external = false
  #location = ""

  constructor(findings: Findings, place: TensorPlace) {
    super()
    this.rules = findings.fields.tensor
    this.#findings = findings
    this.#place = place
  }

  describe(): string {
    return this.#name === "" ? this.#place.what() : `${this.#place.what()}, named ${quote(this.#name)}`
  }

  override integer(field: number, value: number): void {
    if (field === 1) addDimension(this.#dims, value, this.#findings, this.#where)
    else if (field === 2) this.#elementType = value
    else if (value !== 0) this.#external = true
  }

  override text(field: number, bytes: Uint8Array, length: number): void {
    if (field === 8) this.#name = this.#findings.name(bytes, this.#where)
    else this.#rawBytes = length
  }

  override open(): MessageReader {
    this.#external = true
    return new EntryReader(this.#findings.fields.externalEntry, this.#where, (key, value) => {
      if (key === "location") this.#location = value
    })
  }

  override close(): void {
    if (this.#external) {
      refuse(
        "external-data",
        this.#location.includes("_ORT_MEM_ADDR_")
          ? `${this.describe()} points at an address in memory instead of holding its data. Such files only have a meaning inside the process that made them.`
          : `${this.describe()} keeps its data outside the file${
              this.#location === "" ? "" : ` (in ${quote(this.#location)})`
            }. Save the model as one file: onnx.save(model, path, save_as_external_data=False).`,
      )
    }
    const count = elements(this.#dims, this.#where)
    this.#checkBytes(count)
    if (this.#place.parameters) this.#findings.initializer(count, this.#where)
    this.#place.done?.({
      name: this.#name,
      elementType: this.#elementType,
      dims: this.#dims,
      elements: count,
    })
  }

  /** A reader that trusts the shape would read past the end of what is there. */
  #checkBytes(count: number): void {
    const bits = elementBits(this.#elementType)
    if (this.#rawBytes < 0 || bits === undefined) return
    const needed = Math.ceil((count * bits) / 8)
    if (needed !== this.#rawBytes) {
      refuse(
        "invalid-shape",
        `${this.describe()} holds ${this.#rawBytes} bytes, but its shape [${this.#dims.join(", ")}] of ${typeName(this.#elementType)} takes ${needed}. The file is damaged, or was put together wrongly: export the model again.`,
      )
    }
  }
}

/** Values and indices are stored tensors of their own; only the values are parameters. */
export class SparseTensorReader extends MessageReader {
  readonly rules
  readonly #findings: Findings
  readonly #place: TensorPlace
  readonly #dims: Array<number> = []
  readonly #where = () => this.describe()
  #values: StoredTensor | undefined
  #indices: StoredTensor | undefined

  constructor(findings: Findings, place: TensorPlace) {
    super()
    this.rules = findings.fields.sparseTensor
    this.#findings = findings
    this.#place = place
  }

  describe(): string {
    return this.#place.what()
  }

  override integer(_field: number, value: number): void {
    addDimension(this.#dims, value, this.#findings, this.#where)
  }

  override open(field: number): MessageReader {
    return field === 1
      ? new TensorReader(this.#findings, {
          what: () => `the values of ${this.describe()}`,
          parameters: this.#place.parameters,
          done: (tensor) => {
            this.#values = tensor
          },
        })
      : new TensorReader(this.#findings, {
          what: () => `the indices of ${this.describe()}`,
          parameters: false,
          done: (tensor) => {
            this.#indices = tensor
          },
        })
  }

  override close(): void {
    const count = elements(this.#dims, this.#where)
    const stored = this.#values?.elements ?? 0
    if (stored > count || !this.#fits(stored)) {
      refuse(
        "invalid-shape",
        `${this.describe()} has the shape [${this.#dims.join(", ")}], with ${shapeOf(this.#values)} values at ${shapeOf(this.#indices)} indices, which do not fit together`,
      )
    }
    this.#place.done?.({
      name: this.#values?.name ?? "",
      elementType: this.#values?.elementType ?? 0,
      dims: this.#dims,
      elements: stored,
    })
  }

  /** One position for each value: its number, or one index for each dimension. Runtimes have crashed on less. */
  #fits(stored: number): boolean {
    const [positions, parts, ...more] = this.#indices?.dims ?? [0]
    return (
      (this.#values?.dims.length ?? 1) === 1 &&
      positions === stored &&
      more.length === 0 &&
      (parts === undefined || parts === this.#dims.length)
    )
  }
}

const shapeOf = (tensor: StoredTensor | undefined): string => `[${tensor?.dims.join(", ") ?? "0"}]`

/** A key with a value. */
export class EntryReader extends MessageReader {
  readonly rules
  readonly #where: () => string
  readonly #done: (key: string, value: string) => void
  #key = ""
  #value = ""

  constructor(
    rules: MessageReader["rules"],
    where: () => string,
    done: (key: string, value: string) => void,
  ) {
    super()
    this.rules = rules
    this.#where = where
    this.#done = done
  }

  describe(): string {
    return this.#where()
  }

  override text(field: number, bytes: Uint8Array): void {
    if (field === 1) this.#key = readable(bytes)
    else this.#value = readable(bytes)
  }

  override close(): void {
    this.#done(this.#key, this.#value)
  }
}
