/** Whether a model's config has a sample that nothing can be warmed up with. */
import { Result } from "effect"
import { readWarmUpSample } from "../inference/warmUpSample.ts"
import type { ModelConfig } from "../model/ModelConfig.ts"
import type { ModelName } from "../model/Names.ts"
import { UnusableSample } from "./RegistryError.ts"
import type { Route } from "./Route.ts"

/**
 * A sample that fits no ready version would have every load fail. Versions may differ in their inputs, so one that it
 * fits is enough; of a model without versions nobody can tell. Versions come oldest first.
 */
export const unusableSample = (
  model: ModelName,
  { warmup }: ModelConfig,
  versions: ReadonlyArray<Pick<Route, "version" | "signature">>,
): UnusableSample | undefined => {
  const inputs = warmup?.inputs
  const newest = versions.at(-1)
  if (inputs === undefined || newest === undefined) return undefined
  const read = ({ signature }: Pick<Route, "signature">) => readWarmUpSample(signature, inputs)
  const last = read(newest)
  if (Result.isSuccess(last) || versions.slice(0, -1).some((older) => Result.isSuccess(read(older))))
    return undefined
  const { path, message } = last.failure
  return new UnusableSample({ model, path: `warmup.${path}`, version: newest.version, issue: message })
}
