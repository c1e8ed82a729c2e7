/** Runs a model before it takes requests: its first runs allocate, and what is wrong with it shows. */
import { Result } from "effect"
import type { WarmupConfig } from "../model/ModelConfig.ts"
import type { Signature } from "../model/Signature.ts"
import type { Tensors } from "../model/Tensor.ts"
import { type LoadedModel, LoadFailed, RuntimeError } from "./ModelRuntime.ts"
import { syntheticInputs } from "./syntheticInputs.ts"
import { readWarmUpSample } from "./warmUpSample.ts"

const sampleFailed = (detail: string) =>
  new RuntimeError({ reason: new LoadFailed({ detail: `its warm-up sample ${detail}` }) })

/** Throws when it does not fit. */
const readSample = (signature: Signature, sample: Readonly<Record<string, unknown>>): Tensors =>
  Result.getOrThrowWith(readWarmUpSample(signature, sample), ({ path, message }) =>
    sampleFailed(`does not fit: ${path}: ${message}`),
  )

const tagOf = (error: unknown) => (error instanceof RuntimeError ? error.reason._tag : undefined)

/**
 * Runs every instance `runs` times, side by side. A model that fails on made-up inputs in an orderly way is not to
 * blame, one that fails on its operator's sample is. Rejects with a `RuntimeError`.
 */
export const warmUp = async (
  model: LoadedModel,
  signature: Signature,
  { runs = 1, inputs: sample }: typeof WarmupConfig.Type = {},
): Promise<void> => {
  const inputs = sample === undefined ? syntheticInputs(signature, 1) : readSample(signature, sample)
  if (inputs === undefined) return
  const names = signature.outputs.map(({ name }) => name)
  try {
    for (let run = 0; run < runs; run++)
      await Promise.all(Array.from({ length: model.instances }, () => model.run([inputs], names)))
  } catch (error) {
    const tag = tagOf(error)
    if (tag !== "RunFailed" && tag !== "RunTimedOut") throw error
    if (sample !== undefined && error instanceof RuntimeError) throw sampleFailed(`failed: ${error.message}`)
  }
}
