/** Listens for what other processes announce, on a connection of its own that is made again whenever it is lost. */
import { Cause, Duration, Effect, Queue, Random, Stream } from "effect"

/** Between attempts to listen: 0.1 s, then twice as long each time up to 5 s, and up to a quarter more or less. */
const pause = (failures: number) =>
  Effect.map(Random.nextBetween(0.75, 1.25), (jitter) =>
    Duration.millis(Math.min(100 * 2 ** (failures - 1), 5000) * jitter),
  )

/** How signals are told by whoever listens. */
export interface Told<Signal> {
  /** Everything is announced from now on. */
  readonly connected: () => void
  readonly tell: (signal: Signal) => void
}

export interface Listening<Signal, E> {
  /** Of what, for the log. */
  readonly what: string
  /** Ends only with the connection, or when the database does not answer. */
  readonly listen: (told: Told<Signal>) => Effect.Effect<never, E>
  readonly connected: Signal
  readonly disconnected: Signal
}

/** Never ends or fails. Of the failures in a row one is told, and logged as a warning. */
export const signalsOf = <Signal, E>({ what, listen, connected, disconnected }: Listening<Signal, E>) =>
  Stream.callback<Signal>((queue) => {
    let failures = 0
    const tell = (signal: Signal) => void Queue.offerUnsafe(queue, signal)
    const told = {
      tell,
      connected: () => {
        failures = 0
        tell(connected)
      },
    }
    return Effect.catchCause(listen(told), (cause) => {
      if (Cause.hasInterruptsOnly(cause)) return Effect.interrupt
      const first = failures++ === 0
      if (first) tell(disconnected)
      const log = first ? Effect.logWarning : Effect.logDebug
      return log(`Changes of ${what} are not heard of until the database answers`, cause).pipe(
        Effect.andThen(pause(failures)),
        Effect.flatMap(Effect.sleep),
      )
    }).pipe(Effect.forever)
  })
