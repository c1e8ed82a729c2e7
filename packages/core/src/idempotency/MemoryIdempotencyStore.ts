/** `IdempotencyStore` in the memory of one process: volatile. */
import { Clock, Duration, Effect, Layer } from "effect"
import { type Claim, type Holder, IdempotencyStore, type KeptAnswer } from "./IdempotencyStore.ts"

interface Entry {
  readonly fingerprint: string
  content: string | null
  readonly holder: string
  /** Until when the holder is believed to be at work; null once it is done. Milliseconds, as `expiresAt`. */
  heldUntil: number | null
  expiresAt: number
  answer: KeptAnswer | null
}

/** Every change happens between two yields of its fiber, so no other fiber sees half of it. */
const make = () => {
  const entries = new Map<string, Entry>()
  const place = ({ owner, key }: Pick<Holder, "owner" | "key">) => JSON.stringify([owner, key])
  /** The entry, while it is the holder's. */
  const held = (holder: Holder) => {
    const entry = entries.get(place(holder))
    return entry?.holder === holder.holder && entry.heldUntil !== null ? entry : undefined
  }

  return IdempotencyStore.of({
    claim: (request) =>
      Effect.map(Clock.currentTimeMillis, (now): Claim => {
        const { fingerprint, content, holder, repeatable } = request
        const entry = entries.get(place(request))
        const known = entry === undefined || entry.expiresAt <= now ? undefined : entry
        const others = known?.content != null && content !== null && known.content !== content
        if (known !== undefined && (known.fingerprint !== fingerprint || others)) return { _tag: "Reused" }
        if (known?.heldUntil === null)
          return { _tag: "Answered", answer: known.answer, content: known.content }
        if (known !== undefined && known.heldUntil > now) return { _tag: "Running" }
        if (known !== undefined && !repeatable) return { _tag: "Lost" }
        entries.set(place(request), {
          fingerprint,
          content,
          holder,
          heldUntil: now + Duration.toMillis(request.lease),
          expiresAt: now + Duration.toMillis(request.keep),
          answer: null,
        })
        return { _tag: "Claimed" }
      }),
    extend: (holder) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        const entry = held(holder)
        if (entry === undefined) return
        entry.heldUntil = now + Duration.toMillis(holder.lease)
        entry.expiresAt = now + Duration.toMillis(holder.keep)
      }),
    settle: (holder, { answer, content }) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        const entry = held(holder)
        if (entry === undefined) return
        entry.heldUntil = null
        entry.expiresAt = now + Duration.toMillis(holder.keep)
        entry.answer = answer
        entry.content = content
      }),
    release: (holder) =>
      Effect.sync(() => {
        if (held(holder) !== undefined) entries.delete(place(holder))
      }),
    prune: Effect.map(Clock.currentTimeMillis, (now) => {
      const expired = [...entries].filter(([, { expiresAt }]) => expiresAt <= now)
      for (const [name] of expired) entries.delete(name)
      return expired.length
    }),
  })
}

/** Every build of this layer starts empty. */
export const layerIdempotencyStoreMemory: Layer.Layer<IdempotencyStore> = Layer.effect(
  IdempotencyStore,
  Effect.sync(make),
)
