/** In virtual time: whatever is paused for lasts until the test lets it pass. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import * as RunnerSupervisor from "../../src/runtime/RunnerSupervisor.ts"

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
    const { runner } = yield* RunnerSupervisor.make({})
    const first = yield* Effect.promise(runner)
    first.kill()
    yield* Effect.promise(() => first.gone)
    let next: number | undefined
    const started = runner().then(({ pid }) => {
      next = pid
    })
    // Longer than a process takes to start.
    yield* TestClock.withLive(Effect.sleep("1 second"))
    assert.isUndefined(next)
    yield* TestClock.adjust("50 millis")
    yield* Effect.promise(() => started)
    assert.notStrictEqual(next, first.pid)
  }),
)
