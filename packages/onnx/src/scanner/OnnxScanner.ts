/** Reads the signature and the structure of ONNX files while their bytes arrive. */
import { type ModelGraph, ModelScanner, type ScannedModel, UnusableModel } from "@modelforge/core"
import { Effect, Layer } from "effect"
import { refuseOtherKinds, sniffLength } from "./FileKind.ts"
import { Findings } from "./Findings.ts"
import { ModelReader } from "./ModelReader.ts"
import { ProtoWalker } from "./ProtoWalker.ts"
import { refuse } from "./Refusal.ts"
import { defaultScanLimits, type ScanLimits } from "./ScanLimits.ts"

/** The reading of one file, in plain code. Throws `UnusableModel`, and the same one again on every later call. */
export class OnnxScan {
  readonly #findings: Findings
  readonly #model: ModelReader
  readonly #walker: ProtoWalker
  /** The first bytes, held until there are enough to recognise a file that is not ONNX. */
  #head: Uint8Array | undefined = new Uint8Array(0)
  #refused: unknown

  constructor(limits: ScanLimits) {
    this.#findings = new Findings(limits)
    this.#model = new ModelReader(this.#findings)
    this.#walker = new ProtoWalker(this.#model, limits)
  }

  push(chunk: Uint8Array): void {
    this.#guard(() => {
      if (this.#head === undefined) return this.#walker.push(chunk)
      const whole = this.#head.length === 0 && chunk.length >= sniffLength
      this.#head = whole ? chunk : Buffer.concat([this.#head, chunk])
      if (this.#head.length >= sniffLength) this.#release(this.#head)
    })
  }

  /** The drawing of the graph is left to do. */
  finish(): Omit<ScannedModel, "graph"> {
    return this.#guard(() => {
      if (this.#head !== undefined) {
        if (this.#head.length === 0) refuse("empty", "the file is empty")
        this.#release(this.#head)
      }
      this.#walker.end()
      return this.#model.result()
    })
  }

  /** Once the scan has finished. */
  drawing(): Generator<void, ModelGraph> {
    return this.#model.drawing()
  }

  #release(head: Uint8Array): void {
    this.#head = undefined
    refuseOtherKinds(head.subarray(0, sniffLength))
    this.#walker.push(head)
  }

  #guard<A>(body: () => A): A {
    if (this.#refused !== undefined) throw this.#refused
    try {
      return body()
    } catch (cause) {
      this.#refused =
        cause instanceof UnusableModel &&
        (cause.code === "malformed" || cause.code === "truncated" || cause.code === "limit-exceeded") &&
        !this.#findings.recognised
          ? new UnusableModel({
              code: "not-onnx",
              detail: `this is not an ONNX model, or one that was damaged at its very beginning (${cause.detail})`,
            })
          : cause
      throw this.#refused
    }
  }
}

const attempt = <A>(body: () => A): Effect.Effect<A, UnusableModel> =>
  Effect.try({ try: body, catch: (cause) => cause }).pipe(
    Effect.catch((cause) => (cause instanceof UnusableModel ? Effect.fail(cause) : Effect.die(cause))),
  )

/** A scanner with limits of one's own; what is left out is as in `defaultScanLimits`. */
export const layerWith = (limits: Partial<ScanLimits>): Layer.Layer<ModelScanner> =>
  Layer.succeed(ModelScanner, {
    start: Effect.sync(() => {
      const scan = new OnnxScan({ ...defaultScanLimits, ...limits })
      return {
        push: (chunk: Uint8Array) => attempt(() => scan.push(chunk)),
        finish: Effect.gen(function* () {
          const scanned = yield* attempt(() => scan.finish())
          const drawing = scan.drawing()
          let step = drawing.next()
          for (; step.done !== true; step = drawing.next()) yield* Effect.yieldNow
          return { ...scanned, graph: step.value }
        }),
      }
    }),
  })

export const layer: Layer.Layer<ModelScanner> = layerWith({})
