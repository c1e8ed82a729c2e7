/** In virtual time: whatever is paused for lasts until the test lets it pass. */
import { assert, it } from "@effect/vitest"
import { Clock, Deferred, Duration, Effect } from "effect"
import { TestClock } from "effect/testing"
import * as RunnerSupervisor from "../../src/runtime/RunnerSupervisor.ts"
import { runnersOf } from "../processes.ts"

it.effect("a runner that was told to leave is followed by the next at once, however young it was", () =>
  Effect.gen(function* () {
    const { runner } = yield* RunnerSupervisor.make({})
    const processes = new Set<number>()
    for (let round = 0; round < 3; round++) {
      const { link, pid, gone } = yield* Effect.promise(runner)
      processes.add(pid)
      link.retire()
      assert.strictEqual(yield* Effect.promise(() => gone), "exited with code 0")
    }
    assert.strictEqual(processes.size, 3)
  }),
)

it.effect("after a young runner that died the next one waits", () =>
  Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const paused = yield* Deferred.make<"paused">()
    const pause = Duration.millis(50)
    const sleep = (duration: Duration.Duration) =>
      Duration.equals(duration, pause)
        ? Effect.andThen(Deferred.succeed(paused, "paused"), clock.sleep(duration))
        : clock.sleep(duration)
    const { runner, current } = yield* RunnerSupervisor.make({}).pipe(
      Effect.provideService(Clock.Clock, { ...clock, sleep }),
    )
    const first = yield* Effect.promise(runner)
    first.kill()
    yield* Effect.promise(() => first.gone)
    const next = runner()
    const started = Effect.promise(() => next)
    assert.strictEqual(yield* Effect.raceFirst(Deferred.await(paused), started), "paused")
    yield* TestClock.adjust("49 millis")
    assert.isUndefined(current())
    assert.deepStrictEqual(runnersOf(process.pid), [])
    yield* TestClock.adjust("1 millis")
    assert.notStrictEqual((yield* started).pid, first.pid)
  }),
)
