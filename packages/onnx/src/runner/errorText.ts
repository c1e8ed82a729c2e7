/** Messages of ONNX Runtime, made fit for the people who uploaded the model. */
import { dirname } from "node:path"

const maxLength = 600

/**
 * Takes out the artifact's path, the places in ONNX Runtime's own sources and its C++ signatures, and limits the
 * length. Names of nodes stay, although exporters make them look like paths.
 */
export const errorText = (cause: unknown, file: string): string => {
  const text = (cause instanceof Error ? cause.message : String(cause))
    .replaceAll(file, "the file")
    .replaceAll(dirname(file), "…")
    .replace(/^Load model from the file failed:\s*/, "")
    // `/onnxruntime_src/…/reshape_helper.h:91 onnxruntime::ReshapeHelper::ReshapeHelper(const T&, …) `, up to what failed.
    .replace(/\S*onnxruntime_src\/\S+:\d+ (?:[^\n()]*\([^\n]*?\)(?: const)?(?: \[with [^\]]*\])? )?/g, "")
    .replace(/Non-zero status code returned while running (\S+) node\./, "the $1 node failed.")
    .replace(/Status Message: /, "")
    .replace(/\s+/g, " ")
    .trim()
  return text.length > maxLength ? `${text.slice(0, maxLength - 1)}…` : text
}
