/**
 * Removes artifacts that no version refers to any more. Safe beside uploads, on this server or others: an upload commits
 * its artifact, writes the row, and commits again; a removal takes the artifact away and then looks for the row. One of
 * them sees the other, whatever their order, and whoever does puts the artifact back.
 */
import { Clock, Context, DateTime, Duration, Effect, Layer, Schedule, Stream } from "effect"
import { ForgeConfig } from "../ForgeConfig.ts"
import type { RegistryError } from "../registry/RegistryError.ts"
import { RegistryStore } from "../registry/RegistryStore.ts"
import type { ArtifactError } from "./ArtifactError.ts"
import { ArtifactStore, type StoredArtifact } from "./ArtifactStore.ts"

/** Digests that are asked about at once. */
const pageSize = 500

/** A start has better things to do. */
const firstPassAfter = "1 minute"

/** What a pass removed. */
export interface Collected {
  readonly count: number
  readonly bytes: number
}

export class Collector extends Context.Service<
  Collector,
  {
    /**
     * One pass over the store. An artifact goes when it was committed longer ago than the grace period, and no version has
     * referred to it for as long.
     */
    readonly collect: Effect.Effect<Collected, ArtifactError | RegistryError>
  }
>()("@modelforge/core/artifacts/Collector") {
  static readonly make = Effect.gen(function* () {
    const { collectorGrace } = yield* ForgeConfig
    const artifacts = yield* ArtifactStore
    const store = yield* RegistryStore
    const graceMs = Duration.toMillis(collectorGrace)

    const remove = Effect.fnUntraced(
      function* ({ digest, size }: StoredArtifact, deadline: DateTime.Utc) {
        const removed = yield* artifacts.remove(digest, {
          committedBefore: deadline,
          isNeeded: Effect.map(store.findReferred([digest], deadline), (referred) => referred.size > 0),
        })
        return removed ? size : undefined
      },
      // The others need not wait for what is wrong with this one.
      (removal, { digest }) =>
        Effect.catch(removal, (error) =>
          Effect.as(Effect.logWarning(`Artifact ${digest} could not be removed`, error), undefined),
        ),
    )

    const collect = Effect.gen(function* () {
      const deadline = DateTime.makeUnsafe((yield* Clock.currentTimeMillis) - graceMs)
      let [count, bytes] = [0, 0]

      const judge = Effect.fnUntraced(function* (page: ReadonlyArray<StoredArtifact>) {
        const old = page.filter(({ committedAt }) => DateTime.isLessThan(committedAt, deadline))
        if (old.length === 0) return
        const referred = yield* store.findReferred(
          old.map(({ digest }) => digest),
          deadline,
        )
        for (const artifact of old) {
          if (referred.has(artifact.digest)) continue
          const freed = yield* remove(artifact, deadline)
          if (freed === undefined) continue
          count++
          bytes += freed
        }
      })

      yield* artifacts.list.pipe(Stream.grouped(pageSize), Stream.runForEach(judge))
      yield* store.forgetReferred(deadline)
      if (count > 0)
        yield* Effect.logInfo(`Removed ${count} artifacts that nothing referred to, ${bytes} bytes`)
      return { count, bytes }
    }).pipe(Effect.withSpan("Collector.collect"))

    return Collector.of({ collect })
  })

  /** Collects at intervals for as long as the layer is open. */
  static readonly layer = Layer.effect(
    this,
    Effect.tap(this.make, ({ collect }) =>
      Effect.gen(function* () {
        const { collectorInterval } = yield* ForgeConfig
        yield* collect.pipe(
          Effect.catch((error) => Effect.logWarning("Artifacts could not be collected this time", error)),
          Effect.repeat(Schedule.spaced(collectorInterval)),
          Effect.delay(firstPassAfter),
          Effect.forkScoped,
        )
      }),
    ),
  )
}
