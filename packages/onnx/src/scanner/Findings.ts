/** What the readers gather from one file, and the limits they keep to. */
import { GraphBudget } from "../graph/GraphRecord.ts"
import { type OnnxFields, onnxFields } from "./OnnxFields.ts"
import { escaped, quote, refuse } from "./Refusal.ts"
import type { ScanLimits } from "./ScanLimits.ts"

/** Domains whose operators are part of onnxruntime-node's CPU build. `nchwc` is what it writes when it optimises a model. */
const builtInDomains = new Set(["", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc"])

/** Refuses what the texts of a file must be to name something: UTF-8, without the NUL that C and PostgreSQL stop at. */
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
const lossy = new TextDecoder("utf-8", { ignoreBOM: true })

/** Printable ASCII, as nearly all names of a file are; a loop, because there are hundreds of thousands. */
const isPlain = (bytes: Uint8Array): boolean => {
  for (const byte of bytes) if (byte < 32 || byte > 126) return false
  return true
}

const decode = (bytes: Uint8Array): string | undefined => {
  try {
    return strict.decode(bytes)
  } catch {
    return undefined
  }
}

/** Control characters, line separators, and what changes the direction of text or takes no place; not the joiners that scripts need. */
const unseen = /[\p{Cc}\p{Zl}\p{Zp}]|(?![\u200c\u200d])\p{Cf}/u

/** A text that only people read; what isn't UTF-8 or is NUL becomes U+FFFD. */
export const readable = (bytes: Uint8Array): string => lossy.decode(bytes).replaceAll("\0", "\ufffd")

export class Findings {
  readonly limits: ScanLimits
  readonly fields: OnnxFields
  readonly budget: GraphBudget
  /** Something that only an ONNX model has was seen. */
  recognised = false
  nodes = 0
  parameters = 0
  readonly #operators = new Map<string, { readonly domain: string; readonly op: string; count: number }>()
  /** Operators that the model's own functions define. */
  readonly #functions = new Set<string>()
  readonly #overloads = new Set<string>()
  #namesBytes = 0

  constructor(limits: ScanLimits) {
    this.limits = limits
    this.fields = onnxFields(limits)
    this.budget = new GraphBudget(limits)
  }

  /** A text that names something. */
  name(bytes: Uint8Array, where: () => string): string {
    if (isPlain(bytes)) {
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1")
    }
    const name = decode(bytes)
    if (name?.includes("\0") !== false) {
      return refuse("malformed", `a name in ${where()} is not UTF-8 text or contains a NUL character`)
    }
    if (unseen.test(name)) {
      refuse(
        "invalid-name",
        `the name ${escaped(name)} in ${where()} contains a character that can't be seen. Rename it in the program that exports the model.`,
      )
    }
    return name
  }

  /** Counts a name that is kept until the end of the scan. */
  remember(name: string): void {
    this.#namesBytes += 2 * name.length + 64
    if (this.#namesBytes > this.limits.namesTotalBytes) {
      refuse(
        "limit-exceeded",
        `the names of inputs, outputs and initializers exceed the limit of ${this.limits.namesTotalBytes} bytes in all`,
      )
    }
  }

  node(domain: string, op: string, where: () => string): void {
    if (++this.nodes > this.limits.nodes) {
      refuse("limit-exceeded", `the model has more than ${this.limits.nodes} nodes`)
    }
    if (op === "") refuse("malformed", `${where()} names no operator`)
    if (op === "EPContext") {
      refuse(
        "compiled-model",
        `${where()} holds a program compiled for one accelerator (EPContext). Upload the model as it was before it was compiled.`,
      )
    }
    const home = domain === "ai.onnx" ? "" : domain
    const key = `${home}::${op}`
    const known = this.#operators.get(key)
    if (known !== undefined) {
      known.count++
      return
    }
    if (this.#operators.size >= this.limits.operators) {
      refuse("limit-exceeded", `the model uses more than ${this.limits.operators} different operators`)
    }
    this.#operators.set(key, { domain: home, op, count: 1 })
  }

  localFunction(domain: string, name: string, overload: string): void {
    const home = domain === "ai.onnx" ? "" : domain
    const whole = JSON.stringify([home, name, overload])
    if (this.#overloads.has(whole)) {
      refuse("duplicate-name", `the model has two functions ${quote(name)} in the domain ${quote(domain)}`)
    }
    this.#overloads.add(whole)
    if (this.#overloads.size > this.limits.entries) {
      refuse("limit-exceeded", `the model has more than ${this.limits.entries} local functions`)
    }
    this.remember(domain)
    this.remember(name)
    this.remember(overload)
    this.#functions.add(`${home}::${name}`)
  }

  /** Adds the elements of an initializer. */
  initializer(elements: number, where: () => string): void {
    this.parameters += elements
    if (!Number.isSafeInteger(this.parameters)) {
      refuse("invalid-shape", `${where()} brings the number of parameters beyond what can be counted`)
    }
  }

  /** How often each operator occurs; refuses operators that only a library of somebody else could run. */
  operators(): Record<string, number> {
    const counts: Array<[string, number]> = []
    for (const [key, { domain, op, count }] of this.#operators) {
      if (!builtInDomains.has(domain) && !this.#functions.has(key)) {
        refuse(
          "custom-operator",
          `the operator ${quote(op)} of domain ${quote(domain)} needs a library of its own, and such libraries are not loaded. Export the model with standard operators only.`,
        )
      }
      counts.push([domain === "" ? op : `${domain}.${op}`, count])
    }
    return Object.fromEntries(counts)
  }
}
