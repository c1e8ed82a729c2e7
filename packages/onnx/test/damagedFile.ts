/** Valid ONNX files, damaged at random: bits flipped, cut, spliced, grown. */

import type { Random } from "../../core/test/random.ts"
import { exampleBytes, exampleNames } from "./exampleModels.ts"
import { chain } from "./graph/chain.ts"
import * as onnx from "./onnxFile.ts"

const files = [
  ...exampleNames.map(exampleBytes),
  onnx.loop(10n),
  onnx.huge([2n]),
  onnx.identity(onnx.elementType.BYTES, ["a", 3, null]),
  // Large enough for its drawing to be folded.
  chain(300),
]

const mutate = (file: Uint8Array, { int, pick }: Random): Uint8Array => {
  const at = int(file.length)
  switch (int(6)) {
    case 0: {
      const copy = Buffer.from(file)
      for (let flips = 1 + int(8); flips > 0; flips--) {
        const place = int(copy.length)
        copy[place] = (copy[place] ?? 0) ^ (1 << int(8))
      }
      return copy
    }
    case 1:
      return file.subarray(0, at)
    case 2:
      return onnx.concat(file.subarray(0, at), file.subarray(at + int(50)))
    case 3: {
      const wild = Uint8Array.from({ length: 1 + int(12) }, () => pick([0, 0x7f, 0x80, 0xff, int(256)]))
      return onnx.concat(file.subarray(0, at), wild, file.subarray(at))
    }
    case 4: {
      const other = pick(files)
      const from = int(other.length)
      return onnx.concat(file.subarray(0, at), other.subarray(from, from + int(2000)), file.subarray(at))
    }
    default: {
      // The structure is at the beginning of a file; most of the rest is weights.
      const copy = Buffer.from(file)
      copy[int(Math.min(400, copy.length))] = int(256)
      return copy
    }
  }
}

export const damagedFile = (generator: Random): Uint8Array => {
  let file = generator.pick(files)
  for (let times = 1 + generator.int(3); times > 0; times--) file = mutate(file, generator)
  return file
}
