/** Where a request came from. */
import { Context } from "effect"

export interface Origin {
  /** The client's address, behind proxies that are trusted; null for the program itself. */
  readonly address: string | null
  readonly requestId: string | null
}

/** Ambient beside the `Actor`, for the audit log. Default: the program that the engine lives in. */
export const Origin = Context.Reference<Origin>("@modelforge/core/events/Origin", {
  defaultValue: () => ({ address: null, requestId: null }),
})
