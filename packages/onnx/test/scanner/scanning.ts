import { ModelScanner, type ScannedModel, type UnusableModel } from "@modelforge/core"
import { OnnxScanner, type ScanLimits } from "@modelforge/onnx"
import { Effect } from "effect"

/** Scans chunks through the service, as an upload does. */
export const scan = (
  chunks: Iterable<Uint8Array>,
  limits: Partial<ScanLimits> = {},
): Effect.Effect<ScannedModel, UnusableModel> =>
  Effect.gen(function* () {
    const { start } = yield* ModelScanner
    const reading = yield* start
    for (const chunk of chunks) yield* reading.push(chunk)
    return yield* reading.finish
  }).pipe(Effect.provide(OnnxScanner.layerWith(limits)))

/** What a scan came to, in a form that can be compared. */
export const outcome = (chunks: Iterable<Uint8Array>, limits: Partial<ScanLimits> = {}): unknown =>
  Effect.runSync(
    scan(chunks, limits).pipe(
      Effect.catch((error) => Effect.succeed({ code: error.code, detail: error.detail })),
    ),
  )
