/**
 * What predictions use of an `AbortSignal`, which is one. Hosts whose callers leave by an event of their own need not make
 * a real one for each request: with its listener it takes 0.5 KB and 0.7 µs, seven times what a plain object does (measured).
 */
export interface CallerSignal {
  readonly aborted: boolean
  readonly reason: unknown
  /** Throws the reason once it is aborted. */
  readonly throwIfAborted: () => void
  readonly addEventListener: (type: "abort", listener: () => void, options: { readonly once: true }) => void
  readonly removeEventListener: (type: "abort", listener: () => void) => void
}
