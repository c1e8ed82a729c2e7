import { Schema } from "effect"

/** A store that replicas share does not answer. Whoever asked has counters of its own to go by meanwhile. */
export class SharedStoreUnavailable extends Schema.TaggedError<SharedStoreUnavailable>()(
  "SharedStoreUnavailable",
  { cause: Schema.Defect() },
) {
  override get message() {
    return "The store that is shared with other servers does not answer"
  }
}
