/** What the readers gather from one file, and the limits they keep to. */
import { GraphBudget } from "../graph/GraphRecord.ts"
import { type OnnxFields, onnxFields } from "./OnnxFields.ts"
import { quote, refuse } from "./Refusal.ts"
import type { ScanLimits } from "./ScanLimits.ts"

/** Domains whose operators are part of onnxruntime-node's CPU build. `nchwc` is what it writes when it optimises a model. */
const builtInDomains = new Set(["", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc"])

/** Refuses what the texts of a file must be to name something: UTF-8, without the NUL that C and PostgreSQL stop at. */
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
const lossy = new TextDecoder("utf-8", { ignoreBOM: true })

const decode = (bytes: Uint8Array): string | undefined => {
  try {
    return strict.decode(bytes)
  } catch {
    return undefined
  }
}

/** Control characters, line separators, and what changes the direction of text or takes no place; not the joiners that scripts need. */
const unseen = /[\p{Cc}\p{Zl}\p{Zp}]|(?![\u200c\u200d])\p{Cf}/u

/** A name with what can't be seen written out: `"a\\u202eb"`. */
const visible = (name: string): string =>
  quote(name).replace(
    /[\p{Cc}\p{Zl}\p{Zp}\p{Cf}]/gu,
    (character) => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`,
  )

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
  readonly #functions = new Set<string>()
  #namesBytes = 0

  constructor(limits: ScanLimits) {
    this.limits = limits
    this.fields = onnxFields(limits)
    this.budget = new GraphBudget(limits)
  }

  /** A text that names something. */
  name(bytes: Uint8Array, where: () => string): string {
    if (bytes.every((byte) => byte >= 32 && byte < 127)) {
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1")
    }
    const name = decode(bytes)
    if (name?.includes("\0") !== false) {
      return refuse("malformed", `a name in ${where()} is not UTF-8 text or contains a NUL character`)
    }
    if (unseen.test(name)) {
      refuse(
        "invalid-name",
        `the name ${visible(name)} in ${where()} contains a character that can't be seen. Rename it in the program that exports the model.`,
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

  localFunction(domain: string, name: string): void {
    if (this.#functions.size >= this.limits.entries) {
      refuse("limit-exceeded", `the model has more than ${this.limits.entries} local functions`)
    }
    this.remember(domain)
    this.remember(name)
    this.#functions.add(`${domain === "ai.onnx" ? "" : domain}::${name}`)
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
