/** Apart from `Datatype`, whose schema is of Effect: threads that only read bodies load none of that. */
import type { Datatype } from "./Datatype.ts"

/** Bytes of one element; BYTES elements have no fixed width. */
export const byteWidth: Readonly<Record<Exclude<Datatype, "BYTES">, 1 | 2 | 4 | 8>> = {
  BOOL: 1,
  UINT8: 1,
  UINT16: 2,
  UINT32: 4,
  UINT64: 8,
  INT8: 1,
  INT16: 2,
  INT32: 4,
  INT64: 8,
  FP16: 2,
  BF16: 2,
  FP32: 4,
  FP64: 8,
}
