/** How a handler says what it received, when its body is streamed and so not part of what a request is told by. */
import type { Digest } from "@modelforge/core"
import { Context } from "effect"

/** Called with the SHA-256 of the file, once it is known. */
export const ReceivedContent = Context.Reference<(digest: Digest) => void>(
  "@modelforge/http/idempotency/ReceivedContent",
  { defaultValue: () => () => {} },
)
