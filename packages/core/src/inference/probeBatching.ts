/**
 * Finds out, when a model is loaded, whether requests may be joined and how far it pays. Signatures promise what
 * models don't always keep, and batching makes some models slower; so it is tried, not believed.
 */
import { byteWidth } from "../model/byteWidth.ts"
import type { Dimension, Signature } from "../model/Signature.ts"
import type { Tensors } from "../model/Tensor.ts"
import { type LoadedModel, type RunResult, RuntimeError } from "./ModelRuntime.ts"
import { outputsAgree } from "./outputsAgree.ts"
import { isSplittable, splitRows } from "./splitRows.ts"
import { syntheticInputs } from "./syntheticInputs.ts"

export interface BatchProbe {
  /** Joined rows come out as they do alone; undefined when that was not tried, because nobody would want it. */
  readonly joins: boolean | undefined
  /** Rows of one run, as far as more of them make a row cheaper. */
  readonly worthwhile: number
}

const never: BatchProbe = { joins: false, worthwhile: 1 }
const untried: BatchProbe = { joins: undefined, worthwhile: 1 }

/**
 * For dimensions but the first that have no fixed size: one that resembles real requests, and one that fits where
 * that does not.
 */
const innerSizes = [32, 1]
const sizesTried = [2, 4, 8, 16, 32, 64]
/** No run begins that would end later than this after the measuring began, as far as can be told. */
const budgetMs = 200
/** A model that takes longer for one row has all cores busy with it: joining others makes them wait, and no more. */
const slowMs = 50
/** A larger batch has to make a row cheaper by this factor, or it only makes requests wait for each other. */
const worthwhile = 0.95
/** Short runs are repeated until so much time was measured, but a size is not run more often than this. */
const sampleMs = 5
const maxSamples = 5
/** Inputs and outputs of the largest run. */
const maxBytes = 64 * 2 ** 20

const hasFixedSize = (dimension: Dimension | undefined) =>
  dimension === undefined || (typeof dimension === "number" && dimension !== -1)

/**
 * Every input begins with one and the same dimension of no fixed size. Exporters often name that of the outputs
 * otherwise or not at all, so there any will do: what the model makes of it is looked at.
 */
export const mayJoin = ({ inputs, outputs }: Signature): boolean => {
  const [first, ...others] = inputs.map(({ shape }) => shape[0])
  return (
    !hasFixedSize(first) &&
    others.every((dimension) => dimension === first) &&
    outputs.length > 0 &&
    outputs.every(({ shape }) => !hasFixedSize(shape[0]))
  )
}

const byteLength = (tensors: Tensors): number => {
  let bytes = 0
  for (const { datatype, data } of Object.values(tensors))
    bytes += data.length * (datatype === "BYTES" ? 64 : byteWidth[datatype])
  return bytes
}

/** The result; undefined when the model failed in a way that says no more than that it can't do this. */
const attempt = async (
  model: LoadedModel,
  names: ReadonlyArray<string>,
  members: ReadonlyArray<Tensors>,
): Promise<RunResult | undefined> => {
  try {
    return await model.run(members, names)
  } catch (error) {
    const tag = error instanceof RuntimeError ? error.reason._tag : undefined
    if (tag === "RunFailed") return undefined
    // What is too much for a runner together may be served one by one.
    if (members.length > 1 && (tag === "RunnerLost" || tag === "RunTimedOut")) return undefined
    throw error
  }
}

/** Milliseconds a row, the best of a few runs: the first of a new shape allocates. */
const costOf = async (
  model: LoadedModel,
  names: ReadonlyArray<string>,
  members: ReadonlyArray<Tensors>,
): Promise<number | undefined> => {
  let best: number | undefined
  let measuredMs = 0
  for (let samples = 0; samples < 2 || (samples < maxSamples && measuredMs < sampleMs); samples++) {
    const result = await attempt(model, names, members)
    if (result === undefined) return undefined
    measuredMs += result.computeMs
    best = Math.min(best ?? result.computeMs, result.computeMs)
  }
  return best === undefined ? undefined : best / members.length
}

/** The largest of the sizes tried that still makes a row cheaper. */
const largestWorthwhile = async (
  model: LoadedModel,
  names: ReadonlyArray<string>,
  member: Tensors,
  maxSize: number,
): Promise<number> => {
  const until = performance.now() + budgetMs
  let best = 1
  let bestCost = await costOf(model, names, [member])
  let gainedNothing = 0
  for (const size of sizesTried) {
    if (bestCost === undefined || size > maxSize || gainedNothing === 2) break
    if (performance.now() + bestCost * size * 2 > until) break
    const cost = await costOf(
      model,
      names,
      Array.from({ length: size }, () => member),
    )
    if (cost === undefined) break
    if (cost > bestCost * worthwhile) gainedNothing++
    else {
      gainedNothing = 0
      best = size
      bestCost = cost
    }
  }
  return best
}

/** Whether the rows of a joined run come out as they do alone. */
const joinsFaithfully = async (
  model: LoadedModel,
  names: ReadonlyArray<string>,
  rows: ReadonlyArray<{ readonly inputs: Tensors; readonly outputs: Tensors }>,
): Promise<boolean> => {
  const joined = await attempt(
    model,
    names,
    rows.map(({ inputs }) => inputs),
  )
  return (
    joined !== undefined &&
    isSplittable(joined.outputs, rows.length) &&
    rows.every(({ outputs }, row) =>
      outputsAgree(splitRows(joined.outputs, names, row, row + 1), outputs, names),
    )
  )
}

/**
 * Tries a model that was just loaded. `wanted` is the operator's batch size: with more than 1 also a slow model is
 * tried, and with 1 none. One that made-up inputs can't be tried on joins nothing. Rejects with a `RuntimeError` when
 * the model can't run at all for the time being.
 */
export const probeBatching = async (
  model: LoadedModel,
  signature: Signature,
  wanted?: number,
): Promise<BatchProbe> => {
  if (!mayJoin(signature)) return never
  if (wanted === 1) return untried
  try {
    return await probe(model, signature, wanted !== undefined)
  } catch (error) {
    if (error instanceof RuntimeError && error.reason._tag === "RunTimedOut") return never
    throw error
  }
}

const probe = async (model: LoadedModel, signature: Signature, isWanted: boolean): Promise<BatchProbe> => {
  const names = signature.outputs.map(({ name }) => name)
  for (const innerSize of innerSizes) {
    const one = syntheticInputs(signature, 1, innerSize)
    const other = syntheticInputs(signature, 2, innerSize)
    if (one === undefined || other === undefined) continue
    const first = await attempt(model, names, [one])
    if (first === undefined) continue
    // The first run of all also sets things up, so it tells only of models that are far too slow.
    if (first.computeMs > budgetMs && !isWanted) return untried
    const second = await attempt(model, names, [other])
    const isSlow = second === undefined || second.computeMs > slowMs
    if (second === undefined || (isSlow && !isWanted)) return untried
    const maxSize = Math.floor(maxBytes / (byteLength(one) + byteLength(first.outputs)))
    const rows = [
      { inputs: one, outputs: first.outputs },
      { inputs: other, outputs: second.outputs },
      { inputs: one, outputs: first.outputs },
    ]
    if (maxSize < rows.length || !(await joinsFaithfully(model, names, rows))) return never
    return { joins: true, worthwhile: isSlow ? 1 : await largestWorthwhile(model, names, one, maxSize) }
  }
  return never
}
