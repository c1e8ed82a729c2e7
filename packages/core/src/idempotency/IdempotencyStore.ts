/** The storage contract of requests that are carried out once, however often they come. */
import { Context, type Duration, type Effect } from "effect"
import type { RegistryError } from "../registry/RegistryError.ts"

/** What was answered, to be answered again. */
export interface KeptAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Which request it is. */
export interface RepeatableRequest {
  /** Whose key it is: nobody meets the keys of others. */
  readonly owner: string
  /** 1 to 255 visible characters of ASCII, chosen by the caller. */
  readonly key: string
  /** A digest of all that makes it this request and no other. */
  readonly fingerprint: string
  /** SHA-256 of a body that is not part of the fingerprint because it is streamed; null while it is not known. */
  readonly content: string | null
}

export interface ClaimRequest extends RepeatableRequest {
  /** A name of this attempt, that nobody else has. */
  readonly holder: string
  /** After so long without word, whoever holds it is taken for dead. */
  readonly lease: Duration.Duration
  /** For so long it is remembered. */
  readonly keep: Duration.Duration
  /** Whether a request whose holder died may be carried out again. */
  readonly repeatable: boolean
}

export type Claim =
  /** Nobody has carried it out; this attempt does. */
  | { readonly _tag: "Claimed" }
  /** Another attempt is at work on it. */
  | { readonly _tag: "Running" }
  /** Another attempt was at work on it and died; what came of it nobody knows. */
  | { readonly _tag: "Lost" }
  /** The key is that of another request. */
  | { readonly _tag: "Reused" }
  /** It was carried out; the answer is null where it was not to be kept. */
  | { readonly _tag: "Answered"; readonly answer: KeptAnswer | null; readonly content: string | null }

/** Who may change an entry: the attempt that claimed it. */
export type Holder = Pick<ClaimRequest, "owner" | "key" | "holder">

/** Every operation is atomic, by one clock for all replicas. All may fail with `StoreUnavailable`, and nothing else. */
export class IdempotencyStore extends Context.Service<
  IdempotencyStore,
  {
    /** Of attempts that come at once, one is `Claimed`. An entry that expired is none. */
    readonly claim: (request: ClaimRequest) => Effect.Effect<Claim, RegistryError>
    /** Word of a holder at work. */
    readonly extend: (
      holder: Holder & Pick<ClaimRequest, "lease" | "keep">,
    ) => Effect.Effect<void, RegistryError>
    /** The request was carried out. Does nothing when the holder lost it to another attempt. */
    readonly settle: (
      holder: Holder & Pick<ClaimRequest, "keep">,
      outcome: { readonly answer: KeptAnswer | null; readonly content: string | null },
    ) => Effect.Effect<void, RegistryError>
    /** The request changed nothing: the entry goes, and the next attempt begins anew. */
    readonly release: (holder: Holder) => Effect.Effect<void, RegistryError>
    /** Deletes what expired, and says how many. */
    readonly prune: Effect.Effect<number, RegistryError>
  }
>()("@modelforge/core/idempotency/IdempotencyStore") {}
