/** How trouble with a store or a runner is waited out. */
import { Schedule } from "effect"

/** Tries again after one second, then ever later, at most a minute apart; never gives up. */
export const untilItWorks = Schedule.min([Schedule.exponential("1 second"), Schedule.spaced("1 minute")])
