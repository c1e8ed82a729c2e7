/** Milliseconds of the machine's monotonic clock, which all processes of a machine share. */
export const monotonicMs = (): number => {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1e3 + nanoseconds / 1e6
}
