/** Holds a model off that keeps crashing the runners, for its neighbours' sake. One for each loaded model. */
import { LoadFailed, RuntimeError } from "@modelforge/core"

export interface QuarantineOptions {
  /** So many runners may be lost to a model. Default 3. */
  readonly crashes?: number
  /** Within so many milliseconds. Default 60 000. */
  readonly withinMs?: number
  /** So long the model is held off, until one run or load may try it again. Default 60 000 ms. */
  readonly holdOffMs?: number
}

export class Quarantine {
  readonly #limit: number
  readonly #withinMs: number
  readonly #holdOffMs: number
  readonly #clock: () => number
  #crashes: Array<number> = []
  #held: { readonly error: RuntimeError; readonly until: number; probing: boolean } | undefined

  constructor(options: QuarantineOptions, clock: () => number) {
    this.#limit = options.crashes ?? 3
    this.#withinMs = options.withinMs ?? 60_000
    this.#holdOffMs = options.holdOffMs ?? 60_000
    this.#clock = clock
  }

  /** Why the model is held off. */
  get error(): RuntimeError | undefined {
    return this.#held?.error
  }

  /** Why the model may not be used now. Undefined lets one attempt pass, which then has to say how it ended. */
  refusal(): RuntimeError | undefined {
    const held = this.#held
    if (held === undefined) return undefined
    if (held.probing || this.#clock() < held.until) return held.error
    held.probing = true
    return undefined
  }

  /** A runner was lost to the model. */
  crashed(detail: string): void {
    const now = this.#clock()
    this.#crashes = [...this.#crashes.filter((at) => now - at < this.#withinMs), now]
    const times = this.#crashes.length
    if (this.#held === undefined && times < this.#limit) return
    const reason = new LoadFailed({
      detail: `it crashed the runtime ${times === 1 ? "again" : `${times} times`} (${detail}); upload a fixed version or load it again`,
    })
    this.#held = {
      error: new RuntimeError({ reason }),
      until: now + this.#holdOffMs,
      probing: false,
    }
  }

  /** An attempt ended that did no harm; it is `proof` if the model was at work in it. */
  passed(proof: boolean): void {
    if (this.#held?.probing !== true) return
    if (proof) {
      this.#held = undefined
      this.#crashes = []
    } else this.#held.probing = false
  }
}
