/** Goes on where a connection was lost or a server is busy, for as long as there is hope. */
import { Clock, Duration, Effect } from "effect"
import { CommandFailed } from "../command/CommandFailed.ts"
import { TryAgain } from "./ServerRequests.ts"

/** Without anything going on for so long, it is given up: a restart takes seconds, a full server its minutes. */
const patience = Duration.minutes(5)
const patienceMs = Duration.toMillis(patience)

const firstDelayMs = 500
const longestDelayMs = 30_000

export interface Persistence {
  /** Repeats an attempt that fails with `TryAgain`. A server that was never met is not waited for: its name may be wrong. */
  readonly persist: <A, E, R>(
    attempt: Effect.Effect<A, E | TryAgain, R>,
  ) => Effect.Effect<A, Exclude<E, TryAgain> | CommandFailed, R>
  /** Something went on: patience begins anew. */
  readonly progressed: () => void
}

export const makePersistence = (tell: (text: string) => Effect.Effect<void>): Persistence => {
  let met = false
  let failures = 0
  let stuckSince: number | undefined

  const pause = Effect.fnUntraced(function* ({ detail, answered, afterMs }: TryAgain) {
    met ||= answered
    if (!met) return yield* new CommandFailed({ detail })
    const now = yield* Clock.currentTimeMillis
    stuckSince ??= now
    const delayMs = afterMs ?? Math.min(longestDelayMs, firstDelayMs * 2 ** failures++)
    if (now + delayMs - stuckSince > patienceMs)
      return yield* new CommandFailed({
        detail: `${detail}: given up after ${Duration.format(Duration.millis(now - stuckSince))}`,
      })
    yield* tell(`${detail}: trying again in ${Duration.format(Duration.millis(delayMs))}`)
    yield* Effect.sleep(delayMs)
  })

  const persist: Persistence["persist"] = <A, E, R>(attempt: Effect.Effect<A, E | TryAgain, R>) =>
    Effect.catch(
      attempt,
      (error): Effect.Effect<A, Exclude<E, TryAgain> | CommandFailed, R> =>
        error instanceof TryAgain
          ? Effect.andThen(
              pause(error),
              Effect.suspend(() => persist(attempt)),
            )
          : Effect.fail(error as Exclude<E, TryAgain>),
    )

  return {
    persist,
    progressed: () => {
      met = true
      failures = 0
      stuckSince = undefined
    },
  }
}
