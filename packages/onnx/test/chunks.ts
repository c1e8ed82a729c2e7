import type { Random } from "../../core/test/random.ts"

/** Cuts `bytes` into chunks of random sizes, empty and one-byte chunks included. */
export const chunks = (bytes: Uint8Array, { int }: Random): Array<Uint8Array> => {
  const out: Array<Uint8Array> = []
  const largest = [1, 3, 40, 1000, 70_000][int(5)] ?? 1
  for (let at = 0; at < bytes.length; ) {
    const size = int(largest + 1)
    out.push(bytes.subarray(at, at + size))
    at += size
  }
  return out
}
