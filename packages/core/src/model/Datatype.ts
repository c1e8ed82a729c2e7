/** The tensor element types of the Open Inference Protocol, and what each occupies. */
import { Schema } from "effect"

export const Datatype = Schema.Literals([
  "BOOL",
  "UINT8",
  "UINT16",
  "UINT32",
  "UINT64",
  "INT8",
  "INT16",
  "INT32",
  "INT64",
  "FP16",
  "BF16",
  "FP32",
  "FP64",
  "BYTES",
])
export type Datatype = typeof Datatype.Type

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
