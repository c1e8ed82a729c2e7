/** Aborted when a caller goes away: as much of an `AbortSignal` as predictions use. */
import type { CallerSignal } from "@modelforge/core"

export class CallerLeft implements CallerSignal {
  aborted = false
  reason: unknown = undefined
  /** One request has one or two at a time. */
  readonly #listeners: Array<() => void> = []

  throwIfAborted(): void {
    if (this.aborted) throw this.reason
  }

  addEventListener(_type: "abort", listener: () => void): void {
    this.#listeners.push(listener)
  }

  removeEventListener(_type: "abort", listener: () => void): void {
    const index = this.#listeners.indexOf(listener)
    if (index !== -1) this.#listeners.splice(index, 1)
  }

  /** A second time changes nothing. */
  abort(): void {
    if (this.aborted) return
    this.aborted = true
    this.reason = new DOMException("The caller went away", "AbortError")
    for (const listener of this.#listeners.splice(0)) listener()
  }
}
