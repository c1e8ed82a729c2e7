/** How a process hears of changes that others made to the registry. */
import { Context, type Stream } from "effect"
import type { ModelName } from "../model/Names.ts"

export type RegistrySignal =
  /** From now on every change is announced. What is known from before is old: read everything. */
  | { readonly _tag: "Connected" }
  /** These models, or their versions or aliases, may be others now. What a read finds is at least that new. */
  | { readonly _tag: "Changed"; readonly models: ReadonlyArray<ModelName> }
  /** Changes are not heard of until the next `Connected`. */
  | { readonly _tag: "Disconnected" }

export class RegistryChanges extends Context.Service<
  RegistryChanges,
  {
    /**
     * Signals for as long as it is read; never ends or fails, and begins with `Connected` or `Disconnected`. Changes
     * of the process itself are among them. They are hints: a change may be announced more than once.
     */
    readonly signals: Stream.Stream<RegistrySignal>
  }
>()("@modelforge/core/events/RegistryChanges") {}
