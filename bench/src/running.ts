/** Everything that was started and has not ended, for a benchmark that is told to stop in the middle. */

const started = new Set<AsyncDisposable>()
let stopping = false

/** Remembers a process until `ended`. Throws when nothing may be started any more. */
export const remember = (child: AsyncDisposable, ended: Promise<unknown>): void => {
  started.add(child)
  const forget = () => started.delete(child)
  ended.then(forget, forget)
  if (!stopping) return
  void child[Symbol.asyncDispose]()
  throw new Error("the benchmark is stopping")
}

/** Ends all of them; whoever waits for one of them fails. */
export const stopAll = async (): Promise<void> => {
  stopping = true
  await Promise.allSettled([...started].map((child) => child[Symbol.asyncDispose]()))
}
