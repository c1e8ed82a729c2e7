/**
 * Finds out, when a model is loaded, whether requests may be joined and how far it pays. Signatures promise what
 * models don't always keep, and batching makes some models slower; so it is tried, not believed.
 */
import type { Signature, TensorSpec } from "../model/Signature.ts"
import type { Tensor, Tensors } from "../model/Tensor.ts"
import type { BatchPolicy } from "./Batcher.ts"
import { type LoadedModel, RuntimeError } from "./ModelRuntime.ts"
import { isSplittable, splitRows } from "./splitRows.ts"
import { syntheticInputs } from "./syntheticInputs.ts"

/** Joins nothing. */
const alone: BatchPolicy = { maxBatchSize: 1, maxDelayMs: 0 }

const sizesTried = [2, 4, 8, 16, 32, 64]
/** The measuring ends after so long; the best size so far is taken. */
const budgetMs = 200
/** A larger batch has to make a row cheaper by this factor, or it only makes requests wait for each other. */
const worthwhile = 0.95

const batchDimension = ({ shape }: TensorSpec) => shape[0]

/** Every input and output begins with one and the same dimension of no fixed size. */
const mayJoin = ({ inputs, outputs }: Signature): boolean => {
  const [first, ...others] = [...inputs, ...outputs].map(batchDimension)
  if (inputs.length === 0 || first === undefined || (typeof first === "number" && first !== -1)) return false
  return others.every((dimension) => dimension === first)
}

/** Floats may differ by what another order of additions makes; everything else is equal or wrong. */
const agree = (joined: Tensor | undefined, single: Tensor): boolean => {
  if (joined === undefined || joined.data.length !== single.data.length) return false
  const isFloat = single.datatype === "FP32" || single.datatype === "FP64"
  for (let index = 0; index < single.data.length; index++) {
    const a = joined.data[index]
    const b = single.data[index]
    if (isFloat) {
      if (Math.abs(Number(a) - Number(b)) > 1e-6 + 1e-5 * Math.abs(Number(b))) return false
    } else if (typeof a === "object" && typeof b === "object") {
      if (a.length !== b.length || a.some((byte, at) => byte !== b[at])) return false
    } else if (a !== b) return false
  }
  return true
}

const joinsFaithfully = async (
  model: LoadedModel,
  names: ReadonlyArray<string>,
  members: ReadonlyArray<Tensors>,
): Promise<boolean> => {
  const singles = await Promise.all(members.map((member) => model.run([member], names)))
  const { outputs } = await model.run(members, names)
  if (!isSplittable(outputs, members.length)) return false
  return singles.every((single, row) => {
    const own = splitRows(outputs, names, row, row + 1)
    return Object.entries(single.outputs).every(([name, tensor]) => agree(own[name], tensor))
  })
}

/** The largest of the sizes tried that still makes a row cheaper. */
const largestWorthwhile = async (
  model: LoadedModel,
  names: ReadonlyArray<string>,
  member: Tensors,
): Promise<number> => {
  const until = performance.now() + budgetMs
  /** Milliseconds a row, the better of two runs: the first of a new shape allocates. */
  const cost = async (size: number) => {
    const members = Array.from({ length: size }, () => member)
    const first = await model.run(members, names)
    const second = await model.run(members, names)
    return Math.min(first.computeMs, second.computeMs) / size
  }
  let best = 1
  let bestCost = await cost(1)
  for (const size of sizesTried) {
    if (performance.now() > until) break
    const current = await cost(size)
    if (current > bestCost * worthwhile) break
    best = size
    bestCost = current
  }
  return best
}

/** The policy for a model that was just loaded. A model that made-up inputs can't be tried on joins nothing. */
export const probeBatching = async (model: LoadedModel, signature: Signature): Promise<BatchPolicy> => {
  const names = signature.outputs.map(({ name }) => name)
  const one = syntheticInputs(signature, 1)
  const other = syntheticInputs(signature, 2)
  if (!mayJoin(signature) || one === undefined || other === undefined) return alone
  try {
    if (!(await joinsFaithfully(model, names, [one, other, one]))) return alone
    return { maxBatchSize: await largestWorthwhile(model, names, one), maxDelayMs: 0 }
  } catch (error) {
    if (error instanceof RuntimeError && error.reason._tag === "RunFailed") return alone
    throw error
  }
}
