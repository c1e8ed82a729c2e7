/** How people and supervisors ask the server to stop. */
import { Effect } from "effect"

export type StopSignal = "SIGINT" | "SIGTERM"

/** npm and terminals deliver one Ctrl-C twice; what comes this soon after the first is the same wish. */
const sameWishMs = 1000

/**
 * Waits for the first signal. The handlers stay for the scope of the program: a signal that comes later than the
 * same wish means that whoever sent it is tired of waiting, and `onSecond` decides.
 */
export const stopSignal = (onSecond: (signal: StopSignal) => void) =>
  Effect.callback<StopSignal>((resume) => {
    let firstAt: number | undefined
    const handle = (signal: StopSignal) => {
      const now = performance.now()
      if (firstAt === undefined) {
        firstAt = now
        resume(Effect.succeed(signal))
      } else if (now - firstAt > sameWishMs) onSecond(signal)
    }
    process.on("SIGINT", handle)
    process.on("SIGTERM", handle)
  })
