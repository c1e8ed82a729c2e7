/** Writes large tensors as JSON in slices, between which others are served. */
import type { CallerSignal, Tensor, Tensors } from "@modelforge/core"
import { isLarge } from "./tensorJson.ts"

/** So long it writes before it lets others go on. */
const sliceMs = 3

const otherWork = () => new Promise<void>((resolve) => setTimeout(resolve, 0))

/** The text of each tensor that takes long to write, by name. Most answers have none. */
export type LargeTexts = ReadonlyMap<string, string>

const none: LargeTexts = new Map()

/** Rejects with the signal's reason once it is aborted. */
const write = async (largest: Tensors, parts: Parts, signal: CallerSignal): Promise<LargeTexts> => {
  const texts = new Map<string, string>()
  let since = performance.now()
  for (const [name, tensor] of Object.entries(largest)) {
    const written: Array<string> = []
    for (const part of parts(tensor, name)) {
      written.push(part)
      if (performance.now() - since < sliceMs) continue
      await otherWork()
      signal.throwIfAborted()
      since = performance.now()
    }
    texts.set(name, written.join(""))
  }
  return texts
}

type Parts = (tensor: Tensor, name: string) => Iterable<string>

/**
 * Texts of the `outputs` that are large; at once when there is none. `isText` says which of them are answered as JSON.
 */
export const largeTexts = (
  outputs: Tensors,
  parts: Parts,
  signal: CallerSignal,
  isText: (name: string) => boolean = () => true,
): LargeTexts | Promise<LargeTexts> => {
  let large: Record<string, Tensor> | undefined
  for (const name in outputs) {
    const tensor = outputs[name]
    if (tensor === undefined || !isLarge(tensor) || !isText(name)) continue
    large ??= {}
    large[name] = tensor
  }
  return large === undefined ? none : write(large, parts, signal)
}
