/** Hours, days and months of UTC, as quotas count by them. */
import type { Quota } from "../model/ApiKey.ts"

export interface QuotaPeriod {
  readonly length: Quota["period"]
  /** Milliseconds since 1970. */
  readonly startsAt: number
  /** The first that belongs to the next. */
  readonly endsAt: number
}

/** The period that a time (milliseconds since 1970) lies in. */
export const quotaPeriod = (length: Quota["period"], at: number): QuotaPeriod => {
  const date = new Date(at)
  const [year, month, day] = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()]
  switch (length) {
    case "hour": {
      const startsAt = Date.UTC(year, month, day, date.getUTCHours())
      return { length, startsAt, endsAt: startsAt + 3_600_000 }
    }
    case "day":
      return { length, startsAt: Date.UTC(year, month, day), endsAt: Date.UTC(year, month, day + 1) }
    case "month":
      return { length, startsAt: Date.UTC(year, month), endsAt: Date.UTC(year, month + 1) }
  }
}
