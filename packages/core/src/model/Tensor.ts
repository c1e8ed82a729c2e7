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

class Named {
  [name: string]: Tensor
}
Object.setPrototypeOf(Named.prototype, null)
Reflect.deleteProperty(Named.prototype, "constructor")

/**
 * For names that others chose: it inherits nothing, and "__proto__" is a name like any other. V8 keeps `Object.create(null)`
 * as a hash table instead, which takes ten times as long to make and to walk (measured).
 */
export const emptyTensors = (): Record<string, Tensor> => new Named()

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

/** An array of `count` elements, zeroed in memory of its own, or as they are in a buffer from `offset` on, in bytes. */
type Allocate<A> = (count: number, buffer?: ArrayBuffer, offset?: number) => A

interface ArrayKind<A> {
  new (count: number): A
  new (buffer: ArrayBuffer, offset?: number, count?: number): A
}

const arrays =
  <A>(Kind: ArrayKind<A>): Allocate<A> =>
  (count, buffer, offset) =>
    buffer === undefined ? new Kind(count) : new Kind(buffer, offset, count)

export const allocate: { readonly [D in NumericDatatype]: Allocate<TensorArrays[D]> } = {
  BOOL: arrays(Uint8Array),
  UINT8: arrays(Uint8Array),
  UINT16: arrays(Uint16Array),
  UINT32: arrays(Uint32Array),
  UINT64: arrays(BigUint64Array),
  INT8: arrays(Int8Array),
  INT16: arrays(Int16Array),
  INT32: arrays(Int32Array),
  INT64: arrays(BigInt64Array),
  FP16: arrays(Uint16Array),
  BF16: arrays(Uint16Array),
  FP32: arrays(Float32Array),
  FP64: arrays(Float64Array),
}
