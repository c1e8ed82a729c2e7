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
