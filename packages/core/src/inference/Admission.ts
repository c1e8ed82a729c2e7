/**
 * How much may be under way at once, by count and by bytes, for each model and for all. A place is reserved before
 * anything of a request is read; whoever finds none is refused at once, with an estimate of when to come back.
 */
import { Context, Effect, Layer, Result } from "effect"
import { ForgeConfig } from "../ForgeConfig.ts"
import { InferenceError, Overloaded } from "./InferenceError.ts"

/** A place among the requests under way. To be released exactly once, whatever came of the request. */
export interface Permit {
  readonly release: () => void
}

/** Longest time that anyone is sent away for, in seconds. */
const maxRetryAfter = 60
/** How far back the rate of answers is remembered, in milliseconds. */
const memoryMs = 2000

/** What is under way of one model, or of all. */
class Load {
  requests = 0
  bytes = 0
  /** Answers a millisecond, remembered with a half-life of the memory. */
  #rate = 0
  #ratedAt = performance.now()

  add(bytes: number): void {
    this.requests++
    this.bytes += bytes
  }

  remove(bytes: number): void {
    this.requests--
    this.bytes -= bytes
    const now = performance.now()
    const fade = 0.5 ** ((now - this.#ratedAt) / memoryMs)
    // One answer more, spread over the memory, so that a steady rate is its own fixed point.
    this.#rate = this.#rate * fade + Math.LN2 / memoryMs
    this.#ratedAt = now
  }

  /** Seconds until what is under way is likely to be done, at least 1. */
  get drainSeconds(): number {
    const seconds = this.#rate === 0 ? 1 : Math.ceil(this.requests / this.#rate / 1000)
    return Math.min(maxRetryAfter, Math.max(1, seconds))
  }
}

export class Admission extends Context.Service<
  Admission,
  {
    /** A place for a request with a body of so many bytes, or `Overloaded`. `model` exists. */
    readonly reserve: (model: string, bytes: number) => Result.Result<Permit, InferenceError>
  }
>()("@modelforge/core/inference/Admission") {
  static readonly make = Effect.gen(function* () {
    const limits = yield* ForgeConfig
    const all = new Load()
    const models = new Map<string, Load>()

    const refuse = (load: Load, detail: string) =>
      Result.fail(
        new InferenceError({
          reason: new Overloaded({ detail, retryAfterSeconds: load.drainSeconds }),
        }),
      )

    return Admission.of({
      reserve: (model, bytes) => {
        let load = models.get(model)
        if (load === undefined) {
          load = new Load()
          models.set(model, load)
        }
        if (load.requests >= limits.maxModelRequests)
          return refuse(load, `${load.requests} requests of model "${model}" are under way, no more may wait`)
        if (load.bytes + bytes > limits.maxModelRequestBytes && load.requests > 0)
          return refuse(load, `The requests of model "${model}" under way are too large to take another`)
        if (all.requests >= limits.maxRequests)
          return refuse(all, `${all.requests} requests are under way, no more may wait`)
        if (all.bytes + bytes > limits.maxRequestsBytes && all.requests > 0)
          return refuse(all, "The requests under way are too large to take another")
        const own = load
        own.add(bytes)
        all.add(bytes)
        return Result.succeed({
          release: () => {
            own.remove(bytes)
            all.remove(bytes)
          },
        })
      },
    })
  })

  static readonly layer = Layer.effect(this, this.make)
}
