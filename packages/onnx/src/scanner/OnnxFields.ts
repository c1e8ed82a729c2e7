/** The fields of ONNX's messages that are read, by number; all others (weights above all) are skipped. */
import {
  type FieldRules,
  fieldRules,
  floatsUpTo,
  int32,
  int64,
  int64s,
  message,
  text,
  textUpTo,
} from "./ProtoWalker.ts"
import type { ScanLimits } from "./ScanLimits.ts"
import { keptElements, keptText } from "./shortening.ts"

export interface OnnxFields {
  readonly model: FieldRules
  readonly opset: FieldRules
  readonly metadata: FieldRules
  readonly training: FieldRules
  readonly localFunction: FieldRules
  readonly graph: FieldRules
  readonly node: FieldRules
  readonly attribute: FieldRules
  readonly tensor: FieldRules
  readonly sparseTensor: FieldRules
  readonly externalEntry: FieldRules
  readonly value: FieldRules
  readonly type: FieldRules
  readonly tensorType: FieldRules
  readonly shape: FieldRules
  readonly dimension: FieldRules
  /** Of tensors between nodes, which exporters give names of any length. */
  readonly innerDimension: FieldRules
}

export const onnxFields = (limits: ScanLimits): OnnxFields => {
  const name = text(limits.nameBytes)
  return {
    // ir_version, producer_name, producer_version, doc_string, graph, opset_import, metadata_props,
    // training_info, functions
    model: fieldRules({
      1: int64,
      2: textUpTo(256),
      3: textUpTo(256),
      6: textUpTo(limits.docBytes),
      7: message,
      8: message,
      14: message,
      20: message,
      25: message,
    }),
    // domain, version
    opset: fieldRules({ 1: name, 2: int64 }),
    // key, value
    metadata: fieldRules({ 1: text(limits.metadataBytes), 2: text(limits.metadataBytes) }),
    // initialization, algorithm
    training: fieldRules({ 1: message, 2: message }),
    // name, node, domain, attribute_proto (defaults of attributes), overload
    localFunction: fieldRules({ 1: name, 7: message, 10: name, 11: message, 13: name }),
    // node, name, initializer, input, output, value_info, sparse_initializer
    graph: fieldRules({
      1: message,
      2: name,
      5: message,
      11: message,
      12: message,
      13: message,
      15: message,
    }),
    // input, output, name, op_type, attribute, domain
    node: fieldRules({ 1: name, 2: name, 3: name, 4: name, 5: message, 7: name }),
    // name, f, i, s, t, g, floats, ints, strings, tensors, graphs, type, sparse_tensor, sparse_tensors
    attribute: fieldRules({
      1: name,
      2: floatsUpTo(1),
      3: int64,
      4: textUpTo(keptText),
      5: message,
      6: message,
      7: floatsUpTo(keptElements),
      8: int64s,
      9: textUpTo(keptText),
      10: message,
      11: message,
      20: int32,
      22: message,
      23: message,
    }),
    // dims, data_type, name, raw_data (its length alone), external_data, data_location
    tensor: fieldRules({ 1: int64s, 2: int32, 8: name, 9: textUpTo(0), 13: message, 14: int32 }),
    // values, indices, dims
    sparseTensor: fieldRules({ 1: message, 2: message, 3: int64s }),
    // key, value
    externalEntry: fieldRules({ 1: textUpTo(256), 2: textUpTo(1024) }),
    // name, type
    value: fieldRules({ 1: name, 2: message }),
    // tensor_type, sequence_type, map_type, opaque_type, sparse_tensor_type, optional_type
    type: fieldRules({ 1: message, 4: message, 5: message, 7: message, 8: message, 9: message }),
    // elem_type, shape
    tensorType: fieldRules({ 1: int32, 2: message }),
    // dim
    shape: fieldRules({ 1: message }),
    // dim_value, dim_param
    dimension: fieldRules({ 1: int64, 2: text(Math.min(256, limits.nameBytes)) }),
    innerDimension: fieldRules({ 1: int64, 2: textUpTo(keptText) }),
  }
}
