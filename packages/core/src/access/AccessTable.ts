/**
 * All keys and users in memory, so that no request asks the database who it comes from. Read again when somebody changed
 * them: at once by whoever changes them here, by announcement when another process did.
 */
import { Context, DateTime, Deferred, Effect, Layer, Option, Queue, Result, Semaphore, Stream } from "effect"
import type { ApiKey } from "../model/ApiKey.ts"
import type { User, UserId } from "../model/User.ts"
import { untilItWorks } from "../registry/untilItWorks.ts"
import { AccessChanges } from "./AccessChanges.ts"
import type { AccessError } from "./AccessError.ts"
import { type AccessDelta, AccessStore, type KeyHash, type StoredKey } from "./AccessStore.ts"
import type { Identity } from "./Identity.ts"

/** A key in the shape that comparing wants. Times in milliseconds since the epoch. */
export interface KnownKey {
  readonly key: ApiKey
  /** Of whoever has the key's text; made beforehand, so that finding it allocates nothing. */
  readonly identity: Result.Result<Identity>
  readonly digest: Uint8Array
  /** The digest before the last rotation; `noDigest` when it is not valid any more. */
  readonly previousDigest: Uint8Array
  readonly previousUntil: number
  readonly expiresAt: number
}

/** Equal to no digest that anybody can make. */
export const noDigest: Uint8Array = new Uint8Array(32)

/** Catches what no announcement brought, for instance through a pooler that does not pass them on. */
const rereadInterval = "30 seconds"

const bytesOf = (hash: KeyHash) => Uint8Array.from(Buffer.from(hash, "hex"))
const millis = (time: DateTime.Utc | null, none: number) =>
  time === null ? none : DateTime.toEpochMillis(time)

const known = ({ key, hash, previousHash }: StoredKey): KnownKey => ({
  key,
  identity: Result.succeed({ _tag: "Key", key }),
  digest: bytesOf(hash),
  previousDigest: previousHash === null ? noDigest : bytesOf(previousHash),
  previousUntil: millis(key.previousUntil, 0),
  expiresAt: millis(key.expiresAt, Number.POSITIVE_INFINITY),
})

/** What a change made by this process leaves in the table. */
export interface Applied {
  /** The operator's own key, which is stored nowhere. */
  readonly operatorKey?: StoredKey
  readonly key?: StoredKey
  readonly user?: User
  readonly removed?: UserId
}

export class AccessTable extends Context.Service<
  AccessTable,
  {
    readonly key: (id: string) => KnownKey | undefined
    readonly user: (id: string) => User | undefined
    /** The operator's own key, if there is one. */
    readonly operatorKey: () => KnownKey | undefined
    /** Whether a key or user was ever made on this database. */
    readonly closed: () => boolean
    /**
     * A change, and what it leaves in force here when it returns. Once begun it goes on, even if whoever asked for it is
     * interrupted meanwhile.
     */
    readonly thenApply: <A>(
      change: Effect.Effect<A, AccessError>,
      applied: (changed: A) => Applied,
    ) => Effect.Effect<A, AccessError>
    /**
     * Since when keys and users have been out of reach; none while they are not. What was known then goes on being
     * valid, and changes that others made are not known.
     */
    readonly outOfReachSince: () => Option.Option<DateTime.Utc>
  }
>()("@modelforge/core/access/AccessTable") {
  static readonly make = Effect.gen(function* () {
    const store = yield* AccessStore
    const { signals } = yield* AccessChanges
    const keys = new Map<string, KnownKey>()
    const users = new Map<string, User>()
    let operator: KnownKey | undefined
    let [generation, isClosed] = [-1, false]
    // A read that began before a change and ended after it would bring back what was changed.
    const oneAtATime = yield* Semaphore.make(1)
    const trouble: { reads: DateTime.Utc | undefined; signals: DateTime.Utc | undefined } = {
      reads: undefined,
      signals: undefined,
    }

    const take = (delta: AccessDelta) => {
      // A database that was restored from an older copy counts from there.
      if (delta.generation < generation) {
        keys.clear()
        users.clear()
      }
      generation = delta.generation
      isClosed ||= delta.closed
      for (const stored of delta.keys) keys.set(stored.key.id, known(stored))
      for (const user of delta.users) users.set(user.id, user)
      if (delta.userIds === undefined) return
      const ids = new Set<string>(delta.userIds)
      for (const id of users.keys()) if (!ids.has(id)) users.delete(id)
    }

    const since = (which: keyof typeof trouble) =>
      Effect.map(DateTime.now, (now) => {
        trouble[which] ??= now
      })

    const read = Effect.suspend(() => store.changesSince(generation)).pipe(
      Effect.flatMap((delta) =>
        delta.generation < generation ? store.changesSince(-1) : Effect.succeed(delta),
      ),
      Effect.map((delta) => {
        trouble.reads = undefined
        take(delta)
      }),
      Effect.tapError(() => since("reads")),
      oneAtATime.withPermits(1),
    )

    // Holds at most one wish to read: what is read is everything that changed.
    const wishes = yield* Queue.sliding<void>(1)
    const first = yield* Deferred.make<void>()
    yield* signals.pipe(
      Stream.runForEach((signal) =>
        Effect.gen(function* () {
          if (signal === "Disconnected") yield* since("signals")
          else {
            if (signal === "Connected") trouble.signals = undefined
            yield* Queue.offer(wishes, undefined)
          }
          yield* Deferred.succeed(first, undefined)
        }),
      ),
      Effect.forkScoped,
    )
    // Listened to first and read then, so that no change falls in between.
    yield* Deferred.await(first)
    yield* read
    yield* Queue.take(wishes).pipe(
      Effect.andThen(
        read.pipe(
          Effect.tapError((error) =>
            Effect.logWarning("Keys and users could not be read; those known stay valid meanwhile", error),
          ),
          Effect.retry(untilItWorks),
          Effect.ignore,
        ),
      ),
      Effect.forever,
      Effect.forkScoped,
    )
    yield* Queue.offer(wishes, undefined).pipe(
      Effect.delay(rereadInterval),
      Effect.forever,
      Effect.forkScoped,
    )

    return AccessTable.of({
      key: (id) => keys.get(id),
      user: (id) => users.get(id),
      operatorKey: () => operator,
      closed: () => isClosed,
      thenApply: (change, applied) =>
        change.pipe(
          Effect.tap((changed) =>
            Effect.sync(() => {
              const { operatorKey, key, user, removed } = applied(changed)
              isClosed = true
              if (operatorKey !== undefined) operator = known(operatorKey)
              if (key !== undefined) keys.set(key.key.id, known(key))
              if (user !== undefined) users.set(user.id, user)
              if (removed !== undefined) users.delete(removed)
            }),
          ),
          oneAtATime.withPermits(1),
          Effect.uninterruptible,
        ),
      outOfReachSince: () => {
        const { reads, signals } = trouble
        return Option.fromUndefinedOr(reads && signals ? DateTime.min(reads, signals) : (reads ?? signals))
      },
    })
  })

  static readonly layer = Layer.effect(this, this.make)
}
