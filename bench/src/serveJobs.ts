/**
 * The other end of `ChildProcess`: answers the jobs of the benchmark, one after another, and ends with it, by `end`
 * where more is to be done than to exit. Jobs come over Node's own channel between processes, which carries typed arrays.
 */
export const serveJobs = (
  ready: unknown,
  job: (message: unknown) => Promise<unknown>,
  end: () => void = () => process.exit(0),
): void => {
  process.on("disconnect", end)
  if (!process.connected) end() // the benchmark ended before this process was ready
  const answer = (message: unknown) =>
    job(message).then(
      (done) => process.send?.({ done }),
      (error: unknown) => process.send?.({ failed: error instanceof Error ? error.message : String(error) }),
    )
  process.on("message", (message) => void answer(message))
  process.send?.({ done: ready })
}
