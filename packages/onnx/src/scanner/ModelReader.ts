/** Reads the outermost message of an ONNX file and concludes what the file is. */
import type { ModelGraph, ScannedModel, TensorSpec } from "@modelforge/core"
import { drawModelGraph } from "../graph/drawModelGraph.ts"
import { RecordedGraph } from "../graph/GraphRecord.ts"
import { AttributeReader } from "./AttributeReader.ts"
import { type Findings, readable } from "./Findings.ts"
import { Declarations, GraphReader, NodeReader, openGraph } from "./GraphReader.ts"
import { appearance } from "./lookAlike.ts"
import { MessageReader } from "./ProtoWalker.ts"
import { escaped, quote, refuse } from "./Refusal.ts"
import { EntryReader, elements } from "./TensorReader.ts"
import { type DeclaredValue, datatypeOf } from "./ValueReader.ts"

const model = () => "the model"

export class ModelReader extends MessageReader {
  readonly rules
  readonly #findings: Findings
  readonly #declarations = new Declarations()
  readonly #record: RecordedGraph
  readonly #opsets = new Map<string, number>()
  readonly #metadata = new Map<string, string>()
  #metadataBytes = 0
  #irVersion = 0
  #producerName = ""
  #producerVersion = ""
  #docString = ""
  #graphs = 0

  constructor(findings: Findings) {
    super()
    this.rules = findings.fields.model
    this.#findings = findings
    this.#record = new RecordedGraph(findings.budget)
  }

  describe(): string {
    return model()
  }

  override integer(_field: number, value: number): void {
    if (value < 1 || value > 10_000) {
      refuse("not-onnx", `the file is not an ONNX model: it claims to be of version ${value} of the format`)
    }
    this.#irVersion = value
  }

  override text(field: number, bytes: Uint8Array): void {
    if (field === 2) this.#producerName = readable(bytes)
    else if (field === 3) this.#producerVersion = readable(bytes)
    else this.#docString = readable(bytes)
  }

  override open(field: number): MessageReader {
    this.#findings.recognised ||= field === 7 && this.#irVersion > 0
    switch (field) {
      case 7:
        // Protobuf would merge a second graph into the first; other readers may take one of them.
        if (++this.#graphs > 1) refuse("malformed", "the model has two graphs")
        return new GraphReader(this.#findings, () => "the graph", this.#record, this.#declarations)
      case 8:
        return new OpsetReader(this.#findings, (domain, version) => this.#opset(domain, version))
      case 14:
        return new EntryReader(
          this.#findings.fields.metadata,
          () => "the metadata",
          (key, value) => this.#entry(key, value),
        )
      case 20:
        return new TrainingReader(this.#findings)
      default:
        return new FunctionReader(this.#findings)
    }
  }

  #opset(domain: string, version: number): void {
    if (!Number.isSafeInteger(version) || version < 0) {
      refuse("malformed", `the operator set ${quote(domain)} has an impossible version`)
    }
    this.#findings.remember(domain)
    const home = domain === "" ? "ai.onnx" : domain
    if ((this.#opsets.get(home) ?? version) !== version) {
      refuse(
        "duplicate-name",
        `the model names two versions of the operator set ${quote(home)}, and runtimes differ in which they take`,
      )
    }
    this.#opsets.set(home, version)
    if (this.#opsets.size > this.#findings.limits.entries) {
      refuse("limit-exceeded", `the model names more than ${this.#findings.limits.entries} operator sets`)
    }
  }

  #entry(key: string, value: string): void {
    const { entries, metadataBytes } = this.#findings.limits
    if (sessionOptions.test(key)) {
      refuse(
        "session-options",
        `the metadata entry ${quote(key)} is made to set options of the runtime, which could name files and libraries. Remove it from the model: the server's operator sets such options.`,
      )
    }
    if ((this.#metadata.get(key) ?? value) !== value) {
      refuse(
        "duplicate-name",
        `the metadata has two different entries named ${quote(key)}. Remove one of them.`,
      )
    }
    this.#metadataBytes += Buffer.byteLength(key) + Buffer.byteLength(value)
    this.#metadata.set(key, value)
    if (this.#metadataBytes > metadataBytes || this.#metadata.size > entries) {
      refuse(
        "limit-exceeded",
        `the metadata exceeds the limit of ${metadataBytes} bytes or ${entries} entries`,
      )
    }
  }

  override close(): void {
    if (this.#graphs === 0) {
      if (this.#irVersion === 0) refuse("not-onnx", "the file is not an ONNX model: it holds no graph")
      refuse(
        "no-graph",
        "the file holds no graph; it may be another protobuf file, or only a part of a model",
      )
    }
    this.#findings.recognised = true
    if (this.#irVersion === 0) refuse("malformed", "the model does not say which version of ONNX it is in")
    if (this.#opsets.size === 0) refuse("malformed", "the model does not say which operator sets it uses")
  }

  /** The graph for viewers, once the whole file was read; with pauses, because it takes long for large models. */
  drawing(): Generator<void, ModelGraph> {
    return drawModelGraph(this.#record, this.#findings.limits.graphBytes)
  }

  /** What was found, once the whole file was read. */
  result(): Omit<ScannedModel, "graph"> {
    const { inputs, outputs, initializers } = this.#declarations
    const operators = this.#findings.operators()
    if (outputs.length === 0) refuse("no-outputs", "the model has no outputs, so there is nothing to serve")
    return {
      signature: {
        inputs: specs(
          inputs.filter(({ name }) => !initializers.has(name)),
          "input",
        ),
        outputs: specs(outputs, "output"),
      },
      summary: {
        irVersion: this.#irVersion,
        opsets: Object.fromEntries(this.#opsets),
        producer: `${this.#producerName} ${this.#producerVersion}`.trim(),
        parameters: this.#findings.parameters,
        nodes: this.#findings.nodes,
        operators,
        metadata: Object.fromEntries(this.#metadata),
        docString: this.#docString,
      },
    }
  }
}

/**
 * `ort_config` is what ONNX Runtime takes session options from when its environment says so; the others are names of
 * options, of its configuration's keys, and of the libraries and files that it would open.
 */
const sessionOptions =
  /^(ort_config$|session\.|ep\.|(ort_)?(session_options|optimized_model_filepath|profile_file_prefix|custom_ops?_librar(y|ies))$)/i

const specs = (values: ReadonlyArray<DeclaredValue>, kind: "input" | "output"): Array<TensorSpec> => {
  const names = new Set<string>()
  const appearances = new Map<string, string>()
  return values.map((value) => {
    const where = `the ${kind} ${quote(value.name)}`
    if (value.name === "") refuse("invalid-name", `an ${kind} of the model has no name`)
    // Tensors travel as records by name; this one name is not a key like others in JavaScript.
    if (value.name === "__proto__") refuse("invalid-name", `an ${kind} can't be named "__proto__"`)
    if (names.has(value.name))
      refuse("duplicate-name", `the model has two ${kind}s named ${quote(value.name)}`)
    names.add(value.name)
    const twin = appearances.get(appearance(value.name))
    if (twin !== undefined) {
      refuse(
        "duplicate-name",
        `the model has two ${kind}s whose names look the same, ${escaped(twin)} and ${escaped(value.name)}. Rename one of them in the program that exports the model.`,
      )
    }
    appearances.set(appearance(value.name), value.name)
    const datatype = datatypeOf(value, where)
    const shape =
      value.shape ??
      refuse(
        "unknown-rank",
        `${where} has no shape: not even its number of dimensions is known. Export the model with the shapes of its inputs and outputs (onnx.shape_inference.infer_shapes may add them).`,
      )
    elements(shape.filter((size) => typeof size === "number" && size > 0).map(Number), () => where)
    return { name: value.name, datatype, shape }
  })
}

class OpsetReader extends MessageReader {
  readonly rules
  readonly #findings: Findings
  readonly #done: (domain: string, version: number) => void
  #domain = ""
  #version = 0

  constructor(findings: Findings, done: (domain: string, version: number) => void) {
    super()
    this.rules = findings.fields.opset
    this.#findings = findings
    this.#done = done
  }

  describe(): string {
    return "an operator set"
  }

  override integer(_field: number, value: number): void {
    this.#version = value
  }

  override text(_field: number, bytes: Uint8Array): void {
    this.#domain = this.#findings.name(bytes, () => this.describe())
  }

  override close(): void {
    this.#done(this.#domain, this.#version)
  }
}

class TrainingReader extends MessageReader {
  readonly rules
  readonly #findings: Findings

  constructor(findings: Findings) {
    super()
    this.rules = findings.fields.training
    this.#findings = findings
  }

  describe(): string {
    return "the training information"
  }

  override open(): MessageReader {
    return new GraphReader(this.#findings, () => "the training graph")
  }
}

class FunctionReader extends MessageReader {
  readonly rules
  readonly #findings: Findings
  #name = ""
  #domain = ""
  #overload = ""
  readonly #where = () => this.describe()

  constructor(findings: Findings) {
    super()
    this.rules = findings.fields.localFunction
    this.#findings = findings
  }

  describe(): string {
    return `the function ${quote(this.#name)}`
  }

  override text(field: number, bytes: Uint8Array): void {
    const text = this.#findings.name(bytes, this.#where)
    if (field === 1) this.#name = text
    else if (field === 10) this.#domain = text
    else this.#overload = text
  }

  override open(field: number): MessageReader {
    return field === 7
      ? new NodeReader(this.#findings, this.#where)
      : new AttributeReader(this.#findings, { holder: this.#where, openGraph, recorded: false })
  }

  override close(): void {
    this.#findings.localFunction(this.#domain, this.#name, this.#overload)
  }
}
