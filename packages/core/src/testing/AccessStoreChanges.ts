/** How an access store tells what changed. */
import { assert, type Vitest } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { AccessChanges } from "../access/AccessChanges.ts"
import type { AccessError } from "../access/AccessError.ts"
import { AccessStore } from "../access/AccessStore.ts"
import { hashOfKeyText } from "../access/keyText.ts"
import { freshKey, freshLogin, type Needs, now } from "./AccessStoreFixtures.ts"

export const changeTests = (it: Vitest.MethodsNonLive<Needs>) => {
  it.effect("what changed since a generation is told, and that something was ever made", () =>
    Effect.gen(function* () {
      const store = yield* AccessStore
      yield* store.close
      const before = yield* store.changesSince(-1)
      assert.isTrue(before.closed)
      const same = yield* store.changesSince(before.generation)
      assert.deepInclude(same, { generation: before.generation, keys: [], users: [], userIds: undefined })
      const [stored, login] = [yield* freshKey(), yield* freshLogin()]
      yield* store.insertKey(stored)
      yield* store.insertUser(login)
      const made = yield* store.changesSince(before.generation)
      assert.isAbove(made.generation, before.generation)
      assert.deepStrictEqual(
        made.keys.filter(({ key }) => key.id === stored.key.id),
        [stored],
      )
      assert.deepInclude(made.users, login.user)
      assert.isTrue(made.userIds?.includes(login.user.id))
      yield* store.deleteUser(login.user.id)
      const gone = yield* store.changesSince(made.generation)
      assert.isFalse(gone.userIds?.includes(login.user.id))
      assert.isTrue(gone.closed)
    }),
  )

  it.effect("once connected, every change is announced; a read after it finds it", () =>
    Effect.gen(function* () {
      const store = yield* AccessStore
      const { signals } = yield* AccessChanges
      const stored = yield* freshKey()
      const { id } = stored.key
      const changes: ReadonlyArray<Effect.Effect<unknown, AccessError>> = [
        store.insertKey(stored),
        store.rotateKey(id, { hash: hashOfKeyText("x"), previousUntil: null }),
        store.revokeKey(id, yield* now),
      ]
      let next = 0
      const seen: Array<string> = []
      yield* signals.pipe(
        Stream.takeUntilEffect((signal) =>
          Effect.gen(function* () {
            seen.push(signal)
            const change = changes[next++]
            if (change === undefined) return true
            yield* change
            return false
          }),
        ),
        Stream.runDrain,
      )
      assert.deepStrictEqual(seen, ["Connected", "Changed", "Changed", "Changed"])
    }),
  )
}
