/**
 * How much may be under way at once, by count and by bytes, for each model and for all. A place is reserved before
 * anything of a request is read; whoever finds none is refused at once, with an estimate of when to come back.
 */
import { Context, Effect, Layer, Result } from "effect"
import { ForgeConfig } from "../ForgeConfig.ts"
import type { ModelConfig } from "../model/ModelConfig.ts"
import { InferenceError, Overloaded } from "./InferenceError.ts"
import { withoutStack } from "./withoutStack.ts"

/** A place among the requests under way. To be released whatever came of the request; a second time changes nothing. */
export interface Permit {
  /** Adds bytes that the body turned out to have, or `Overloaded`. One request alone may have any number. */
  readonly grow: (bytes: number) => Result.Result<void, InferenceError>
  readonly release: () => void
}

/** Longest time that anyone is sent away for, in seconds. */
const maxRetryAfter = 60
/** Half-life of the memory of answers, in milliseconds. */
const halfLifeMs = 2000

type Refusal = Result.Result<never, InferenceError>

/** What is under way of one model, or of all. */
class Load {
  requests = 0
  bytes = 0
  /** What was said last. In a storm the same is said thousands of times a second, and is the same error then. */
  #refusal: { readonly reason: Overloaded; readonly result: Refusal } | undefined
  /** Answers, each counting less the longer ago it was. */
  #answers = 0
  /** Milliseconds in which there was something to answer, fading likewise. */
  #busyMs = 0
  #now = performance.now()

  add(bytes: number): void {
    // Time in which nothing waited says nothing of how fast answers come.
    if (this.requests === 0) this.#now = performance.now()
    this.requests++
    this.bytes += bytes
  }

  remove(bytes: number): void {
    this.#advance()
    this.#answers++
    this.requests--
    this.bytes -= bytes
  }

  #advance(): void {
    const now = performance.now()
    const fade = 0.5 ** ((now - this.#now) / halfLifeMs)
    this.#answers *= fade
    this.#busyMs = this.#busyMs * fade + ((1 - fade) * halfLifeMs) / Math.LN2
    this.#now = now
  }

  /** Seconds until what is under way is likely to be done, at least 1. */
  drainSeconds(): number {
    this.#advance()
    // Without an answer yet there is nothing to tell from but how long the first one takes.
    const toCome = this.#answers === 0 ? 1 : this.requests / this.#answers
    return Math.min(maxRetryAfter, Math.max(1, Math.ceil((toCome * this.#busyMs) / 1000)))
  }

  refuse(detail: string): Refusal {
    const retryAfterSeconds = this.drainSeconds()
    const last = this.#refusal
    if (last?.reason.detail === detail && last.reason.retryAfterSeconds === retryAfterSeconds)
      return last.result
    return withoutStack(() => {
      const reason = new Overloaded({ detail, retryAfterSeconds })
      const result = Result.fail(new InferenceError({ reason }))
      this.#refusal = { reason, result }
      return result
    })
  }
}

export class Admission extends Context.Service<
  Admission,
  {
    /**
     * A place for a request with a body of so many bytes, or `Overloaded`. `model` exists; `queue` is what its operator
     * said, before the server's limits for one model.
     */
    readonly reserve: (
      model: string,
      bytes: number,
      queue?: ModelConfig["queue"],
    ) => Result.Result<Permit, InferenceError>
  }
>()("@modelforge/core/inference/Admission") {
  static readonly make = Effect.gen(function* () {
    const limits = yield* ForgeConfig
    const all = new Load()
    const models = new Map<string, Load>()

    const tooManyBytes = (model: string, load: Load, maxBytes: number, bytes: number, others: number) => {
      if (load.bytes + bytes > maxBytes && load.requests > others)
        return load.refuse(`The requests of model "${model}" under way are too large to take another`)
      if (all.bytes + bytes > limits.maxRequestsBytes && all.requests > others)
        return all.refuse("The requests under way are too large to take another")
      return undefined
    }

    return Admission.of({
      reserve: (model, bytes, queue) => {
        const maxRequests = queue?.maxDepth ?? limits.maxModelRequests
        const maxBytes = queue?.maxBytes ?? limits.maxModelRequestBytes
        let load = models.get(model)
        if (load === undefined) {
          load = new Load()
          models.set(model, load)
        }
        if (load.requests >= maxRequests)
          return load.refuse(`${load.requests} requests of model "${model}" are under way, no more may wait`)
        if (all.requests >= limits.maxRequests)
          return all.refuse(`${all.requests} requests are under way, no more may wait`)
        const refused = tooManyBytes(model, load, maxBytes, bytes, 0)
        if (refused !== undefined) return refused
        const own = load
        own.add(bytes)
        all.add(bytes)
        let reserved = bytes
        let held = true
        return Result.succeed({
          grow: (more) => {
            const tooMany = tooManyBytes(model, own, maxBytes, more, 1)
            if (tooMany !== undefined) return tooMany
            if (held) {
              reserved += more
              own.bytes += more
              all.bytes += more
            }
            return Result.void
          },
          release: () => {
            if (!held) return
            held = false
            own.remove(reserved)
            all.remove(reserved)
          },
        })
      },
    })
  })

  static readonly layer = Layer.effect(this, this.make)
}
