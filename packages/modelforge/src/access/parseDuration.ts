const units: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 }

/** Seconds of a time like `30d`, `12h`, `15m` or `90s`; undefined when it is none. At most ten years. */
export const parseDuration = (text: string): number | undefined => {
  const [, count, unit = ""] = /^(\d{1,9})([smhd])$/.exec(text) ?? []
  const seconds = Number(count) * (units[unit] ?? Number.NaN)
  return seconds > 0 && seconds <= 3650 * 86_400 ? seconds : undefined
}
