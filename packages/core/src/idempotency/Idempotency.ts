/** Carries requests out once: what is repeated with the same key gets the first answer again. */
import { randomUUID } from "node:crypto"
import { Context, Duration, Effect, type Exit, Layer, Schedule } from "effect"
import type { RegistryError } from "../registry/RegistryError.ts"
import {
  AnswerNotKept,
  IdempotencyError,
  KeyReused,
  OutcomeUnknown,
  RequestRunning,
} from "./IdempotencyError.ts"
import { IdempotencyStore, type KeptAnswer, type RepeatableRequest } from "./IdempotencyStore.ts"

/** A server that was not heard of for so long is taken for dead. */
const lease = Duration.seconds(60)
/** So often it is heard of. */
const beat = Duration.seconds(20)
/** For so long an answer is kept. */
const keep = Duration.hours(24)

export interface Attempt extends RepeatableRequest {
  /**
   * Whether it may be carried out again when the server that did was lost. Yes where a second time is refused or does no
   * harm, because what is made has a name of its own; else such a request is refused with `OutcomeUnknown`.
   */
  readonly repeatable: boolean
  /** Whether a caller who leaves ends it. Default: once begun it is carried out, so that the answer can be asked for. */
  readonly interruptible?: boolean | undefined
}

/** What is to be remembered of a request that was carried out. */
export interface Memory {
  /** Null: only that it was. */
  readonly answer: KeptAnswer | null
  /** SHA-256 of a streamed body, now that it is known. */
  readonly content: string | null
}

export type Once<A> =
  | { readonly _tag: "Done"; readonly value: A }
  | { readonly _tag: "Repeated"; readonly answer: KeptAnswer; readonly content: string | null }

export class Idempotency extends Context.Service<
  Idempotency,
  {
    /**
     * Carries the work out, or gives the answer that it got before. `remember` says of how it ended what is kept for 24
     * hours; nothing (undefined) of what changed nothing and may be tried again with the same key. Fails with
     * `KeyReused`, `RequestRunning`, `OutcomeUnknown` or `AnswerNotKept`, and as the work does.
     *
     * Exactly once while this process lives and the store answers. When the process dies between the change and the
     * remembering, a repeatable request is carried out again, any other never.
     */
    readonly once: <A, E, R>(
      attempt: Attempt,
      work: Effect.Effect<A, E, R>,
      remember: (exit: Exit.Exit<A, E>) => Memory | undefined,
    ) => Effect.Effect<Once<A>, E | IdempotencyError | RegistryError, R>
  }
>()("@modelforge/core/idempotency/Idempotency") {
  static readonly make = Effect.gen(function* () {
    const store = yield* IdempotencyStore
    const refuse = (reason: IdempotencyError["reason"]) => Effect.fail(new IdempotencyError({ reason }))

    yield* store.prune.pipe(
      Effect.catch((error) => Effect.logWarning("Old idempotency keys could not be deleted yet", error)),
      Effect.repeat(Schedule.spaced("1 hour")),
      Effect.forkScoped,
    )

    const once = <A, E, R>(
      { repeatable, interruptible = false, ...request }: Attempt,
      work: Effect.Effect<A, E, R>,
      remember: (exit: Exit.Exit<A, E>) => Memory | undefined,
    ): Effect.Effect<Once<A>, E | IdempotencyError | RegistryError, R> =>
      Effect.uninterruptibleMask((restore) =>
        Effect.gen(function* () {
          const holder = { owner: request.owner, key: request.key, holder: randomUUID() }
          const claim = yield* store.claim({ ...request, ...holder, lease, keep, repeatable })
          switch (claim._tag) {
            case "Reused":
              return yield* refuse(new KeyReused())
            case "Running":
              return yield* refuse(new RequestRunning())
            case "Lost":
              return yield* refuse(new OutcomeUnknown())
            case "Answered": {
              const { answer, content } = claim
              if (answer === null) return yield* refuse(new AnswerNotKept())
              return { _tag: "Repeated", answer, content }
            }
            case "Claimed":
          }
          const beating = yield* store
            .extend({ ...holder, lease, keep })
            .pipe(Effect.ignore, Effect.delay(beat), Effect.forever, Effect.interruptible, Effect.forkChild)
          const exit = yield* Effect.exit(interruptible ? restore(work) : work)
          beating.interruptUnsafe()
          const memory = remember(exit)
          yield* (
            memory === undefined ? store.release(holder) : store.settle({ ...holder, keep }, memory)
          ).pipe(
            // The change is made, or is not: that is the answer, whatever becomes of the key.
            Effect.catch((error) =>
              Effect.logError("What came of an idempotency key was not remembered", error),
            ),
          )
          return { _tag: "Done", value: yield* exit }
        }),
      )

    return Idempotency.of({ once })
  })

  static readonly layer = Layer.effect(this, this.make)
}
