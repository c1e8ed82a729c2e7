import { assert, describe, it } from "@effect/vitest"
import type { RefusalCode, ScanLimits } from "@modelforge/onnx"
import { Effect } from "effect"
import { scan } from "./scanning.ts"

export interface Case {
  readonly name: string
  readonly file: Uint8Array
  readonly code: RefusalCode
  /** All of these are said. */
  readonly says: ReadonlyArray<RegExp>
  readonly limits?: Partial<ScanLimits>
}

export const refused = (
  name: string,
  file: Uint8Array | string,
  code: RefusalCode,
  says: RegExp | ReadonlyArray<RegExp>,
  limits: Partial<ScanLimits> = {},
): Case => ({
  name,
  file: typeof file === "string" ? Buffer.from(file, "latin1") : file,
  code,
  says: says instanceof RegExp ? [says] : says,
  limits,
})

export const suite = (title: string, cases: ReadonlyArray<Case>): void => {
  describe(title, () => {
    for (const { name, file, code, says, limits } of cases) {
      it.effect(`${code}: ${name}`, () =>
        Effect.gen(function* () {
          const error = yield* Effect.flip(scan([file], limits))
          assert.strictEqual(error.code, code, error.detail)
          for (const pattern of says) assert.match(error.message, pattern)
          assert.isBelow(error.detail.length, 700)
        }),
      )
    }
  })
}
