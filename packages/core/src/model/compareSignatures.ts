/** What changes for those who call a version when another takes its place. */
import { Schema } from "effect"
import { type Dimension, formatShape, type Signature, TensorSpec } from "./Signature.ts"

/** One difference between two signatures. A renamed tensor is one that was removed and one that was added. */
export const SignatureChange = Schema.Struct({
  tensor: Schema.Literals(["input", "output"]),
  name: Schema.NonEmptyString,
  change: Schema.Literals(["added", "removed", "datatype", "shape"]),
  /** A caller who is content with the first signature may fail with the second. */
  breaking: Schema.Boolean,
  /** The tensor in the first signature; null when it was added. */
  from: Schema.NullOr(TensorSpec),
  /** The tensor in the second signature; null when it was removed. */
  to: Schema.NullOr(TensorSpec),
  /** For people: what changed and, where it breaks callers, why. */
  detail: Schema.String,
})
export type SignatureChange = typeof SignatureChange.Type

/**
 * The differences from one signature to another, inputs first. Breaking are: an input that was added or removed, an
 * output that was removed, another datatype or number of dimensions, an input's dimension that no longer takes every
 * size it took (a shared symbolic name counts: its dimensions must agree), and an output's fixed size that became
 * another fixed size. Compatible are: an added output, dimensions of inputs that take more sizes, other symbolic
 * names, and sizes of outputs that are no longer fixed (a model that learns to take batches has them).
 */
export const compareSignatures = (from: Signature, to: Signature): ReadonlyArray<SignatureChange> => {
  const ties = brokenTies(from, to)
  return [
    ...compareTensors("input", from.inputs, to.inputs, (before, after) => narrowedInput(before, after, ties)),
    ...compareTensors("output", from.outputs, to.outputs, changedOutput),
  ]
}

/** Why a shape breaks callers, or undefined. */
type ShapeRule = (before: TensorSpec, after: TensorSpec) => string | undefined

const compareTensors = (
  tensor: SignatureChange["tensor"],
  before: ReadonlyArray<TensorSpec>,
  after: ReadonlyArray<TensorSpec>,
  rule: ShapeRule,
): ReadonlyArray<SignatureChange> => {
  const changes: Array<SignatureChange> = []
  const old = new Map(before.map((spec) => [spec.name, spec]))
  const kept = new Set(after.map(({ name }) => name))
  for (const from of before) {
    if (kept.has(from.name)) continue
    const detail = `The ${tensor} "${from.name}" was removed`
    changes.push({ tensor, name: from.name, change: "removed", breaking: true, from, to: null, detail })
  }
  for (const to of after) {
    const { name } = to
    const from = old.get(name)
    const common = { tensor, name, to }
    if (from === undefined) {
      const breaking = tensor === "input"
      const detail = `The ${tensor} "${name}" was added${breaking ? ", which callers do not send yet" : ""}`
      changes.push({ ...common, change: "added", breaking, from: null, detail })
      continue
    }
    if (from.datatype !== to.datatype) {
      const detail = `The datatype of the ${tensor} "${name}" was ${from.datatype} and is ${to.datatype}`
      changes.push({ ...common, change: "datatype", breaking: true, from, detail })
    }
    if (sameShape(from.shape, to.shape)) continue
    const why = rule(from, to)
    const shapes = `was ${formatShape(from.shape)} and is ${formatShape(to.shape)}`
    const detail = `The shape of the ${tensor} "${name}" ${shapes}${why === undefined ? "" : `: ${why}`}`
    changes.push({ ...common, change: "shape", breaking: why !== undefined, from, detail })
  }
  return changes
}

const sameShape = (left: ReadonlyArray<Dimension>, right: ReadonlyArray<Dimension>): boolean =>
  left.length === right.length && left.every((dimension, index) => dimension === right[index])

const isFixed = (dimension: Dimension | undefined): dimension is number =>
  typeof dimension === "number" && dimension !== -1

const otherRank = (before: TensorSpec, after: TensorSpec): string | undefined =>
  before.shape.length === after.shape.length ? undefined : "the number of dimensions is another"

const narrowedInput = (
  before: TensorSpec,
  after: TensorSpec,
  ties: ReadonlySet<string>,
): string | undefined => {
  const rank = otherRank(before, after)
  if (rank !== undefined) return rank
  const index = after.shape.findIndex(
    (dimension, index) => isFixed(dimension) && dimension !== before.shape[index],
  )
  if (index >= 0) return `dimension ${index} takes only the size ${after.shape[index]}`
  const tied = after.shape.find(
    (dimension, index) =>
      typeof dimension === "string" && dimension !== before.shape[index] && ties.has(dimension),
  )
  return tied === undefined
    ? undefined
    : `dimensions named "${tied}" must have the same size, and could differ before`
}

/** Symbolic names in the inputs of `to` that tie dimensions together which callers of `from` may send with different sizes. */
const brokenTies = (from: Signature, to: Signature): ReadonlySet<string> => {
  const before = new Map(from.inputs.map((spec) => [spec.name, spec.shape]))
  const seen = new Map<string, Dimension>()
  const broken = new Set<string>()
  for (const { name, shape } of to.inputs) {
    const old = before.get(name)
    if (old?.length !== shape.length) continue
    shape.forEach((dimension, index) => {
      const was = old[index]
      if (typeof dimension !== "string" || was === undefined) return
      const other = seen.get(dimension)
      // Two dimensions of any size are free of each other, so -1 never equals -1 here.
      if (other !== undefined && (other !== was || was === -1)) broken.add(dimension)
      else seen.set(dimension, was)
    })
  }
  return broken
}

const changedOutput: ShapeRule = (before, after) => {
  const rank = otherRank(before, after)
  if (rank !== undefined) return rank
  const index = after.shape.findIndex((dimension, index) => {
    const was = before.shape[index]
    return isFixed(dimension) && isFixed(was) && dimension !== was
  })
  return index < 0
    ? undefined
    : `dimension ${index} has the size ${after.shape[index]} instead of ${before.shape[index]}`
}
