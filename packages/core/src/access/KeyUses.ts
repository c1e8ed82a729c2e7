/** When keys were last used: noted in memory, written once a minute, so that no request costs the database anything. */
import { Context, DateTime, Effect, Layer } from "effect"
import type { KeyId } from "../model/ApiKey.ts"
import { AccessStore } from "./AccessStore.ts"

const flushInterval = "1 minute"

export class KeyUses extends Context.Service<
  KeyUses,
  {
    /** Plain code: every request notes its key. `at` in milliseconds since the epoch. */
    readonly note: (id: KeyId, at: number) => void
  }
>()("@modelforge/core/access/KeyUses") {
  static readonly make = Effect.gen(function* () {
    const store = yield* AccessStore
    const uses = new Map<KeyId, number>()

    const flush = Effect.gen(function* () {
      if (uses.size === 0) return
      const noted = new Map(uses)
      yield* store.noteUses(new Map([...noted].map(([id, at]) => [id, DateTime.makeUnsafe(at)])))
      // What failed is written the next time; what was used meanwhile too.
      for (const [id, at] of noted) if (uses.get(id) === at) uses.delete(id)
    }).pipe(
      Effect.catch((error) => Effect.logWarning("When keys were last used could not be written yet", error)),
    )

    yield* Effect.addFinalizer(() => flush)
    yield* flush.pipe(Effect.delay(flushInterval), Effect.forever, Effect.forkScoped)

    return KeyUses.of({ note: (id, at) => void uses.set(id, at) })
  })

  static readonly layer = Layer.effect(this, this.make)
}
