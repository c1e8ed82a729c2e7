/** How a process hears that others changed keys or users. */
import { Context, type Stream } from "effect"

export type AccessSignal =
  /** From now on every change is announced. */
  | "Connected"
  /** Something is another now. What a read finds is at least that new. */
  | "Changed"
  /** Changes are not heard of until the next `Connected`. */
  | "Disconnected"

export class AccessChanges extends Context.Service<
  AccessChanges,
  {
    /**
     * Signals for as long as it is read; never ends or fails, and begins with `Connected` or `Disconnected`. Changes of
     * the process itself are among them.
     */
    readonly signals: Stream.Stream<AccessSignal>
  }
>()("@modelforge/core/access/AccessChanges") {}
