/** A tensor in memory: row-major elements and their shape. */
import type { Datatype } from "./Datatype.ts"

/**
 * How the elements of each datatype are held. BOOL is one byte of 0 or 1; FP16 and BF16 are their raw 16 bits;
 * BYTES is one `Uint8Array` an element, of any bytes.
 */
export interface TensorArrays {
  readonly BOOL: Uint8Array
  readonly UINT8: Uint8Array
  readonly UINT16: Uint16Array
  readonly UINT32: Uint32Array
  readonly UINT64: BigUint64Array
  readonly INT8: Int8Array
  readonly INT16: Int16Array
  readonly INT32: Int32Array
  readonly INT64: BigInt64Array
  readonly FP16: Uint16Array
  readonly BF16: Uint16Array
  readonly FP32: Float32Array
  readonly FP64: Float64Array
  readonly BYTES: ReadonlyArray<Uint8Array>
}

export interface TensorOf<D extends Datatype> {
  readonly datatype: D
  /** Sizes of the dimensions, outermost first; `[]` is a scalar, a zero makes the tensor empty. */
  readonly shape: ReadonlyArray<number>
  /** `elementCount(shape)` elements, row-major. */
  readonly data: TensorArrays[D]
}

/** Discriminated by `datatype`. Whoever receives a tensor may read it but never writes to it. */
export type Tensor = { readonly [D in Datatype]: TensorOf<D> }[Datatype]

export type NumericDatatype = Exclude<Datatype, "BYTES">

/** Tensors by input or output name. */
export type Tensors = Readonly<Record<string, Tensor>>

/** Dimensions of a tensor at most. Deeper nesting than any model takes is refused before it costs anything. */
export const maxRank = 32

/** Whether a number can be the size of a dimension. */
export const isSize = (size: number): boolean => Number.isSafeInteger(size) && size >= 0

/** Number of elements a shape describes; 1 for a scalar. */
export const elementCount = (shape: ReadonlyArray<number>): number => {
  let count = 1
  for (const size of shape) count *= size
  return count
}

/** A zeroed array for `count` elements. */
export const allocate: { readonly [D in NumericDatatype]: (count: number) => TensorArrays[D] } = {
  BOOL: (count) => new Uint8Array(count),
  UINT8: (count) => new Uint8Array(count),
  UINT16: (count) => new Uint16Array(count),
  UINT32: (count) => new Uint32Array(count),
  UINT64: (count) => new BigUint64Array(count),
  INT8: (count) => new Int8Array(count),
  INT16: (count) => new Int16Array(count),
  INT32: (count) => new Int32Array(count),
  INT64: (count) => new BigInt64Array(count),
  FP16: (count) => new Uint16Array(count),
  BF16: (count) => new Uint16Array(count),
  FP32: (count) => new Float32Array(count),
  FP64: (count) => new Float64Array(count),
}
