/** What a version takes and gives: named tensors with datatypes and shapes. */
import { Schema } from "effect"
import { Datatype } from "./Datatype.ts"

/**
 * One dimension: a fixed size, `-1` for any size, or a symbolic name. Every dimension of a request that carries
 * the same name must have the same size.
 */
export const Dimension = Schema.Union([
  Schema.Int.check(Schema.isGreaterThanOrEqualTo(-1)),
  Schema.NonEmptyString,
])
export type Dimension = typeof Dimension.Type

export const TensorSpec = Schema.Struct({
  name: Schema.NonEmptyString,
  datatype: Datatype,
  shape: Schema.Array(Dimension),
})
export type TensorSpec = typeof TensorSpec.Type

export const Signature = Schema.Struct({
  inputs: Schema.Array(TensorSpec),
  outputs: Schema.Array(TensorSpec),
})
export type Signature = typeof Signature.Type

/** `[batch, 3, ?]`: how a shape of a signature is shown to people; `?` is a dimension of any size. */
export const formatShape = (shape: ReadonlyArray<Dimension>): string =>
  `[${shape.map((dimension) => (dimension === -1 ? "?" : dimension)).join(", ")}]`
