import { afterEach, assert, beforeEach, describe, it, vi } from "@effect/vitest"
import { VersionStatistics } from "../../src/inference/ModelStatistics.ts"
import { controlTime, openBatcher, pass, tagOf } from "./ControlledModel.ts"

describe("what a version is asked", () => {
  it("adds up to the time of its requests", () => {
    const statistics = new VersionStatistics()
    statistics.answered(10, 3, 5)
    statistics.answered(20, 4, 6)
    assert.deepInclude(statistics, {
      success: { count: 2, ms: 30 },
      queue: { count: 2, ms: 7 },
      compute: { count: 2, ms: 11 },
      output: { count: 2, ms: 12 },
      fail: { count: 0, ms: 0 },
    })
  })

  it("is never less than nothing, however clocks of two processes round", () => {
    const statistics = new VersionStatistics()
    statistics.answered(9, 4, 6)
    statistics.executed(1, 6, -1)
    assert.deepStrictEqual(statistics.output, { count: 1, ms: 0 })
    assert.deepStrictEqual(statistics.batches, [
      [1, { compute: { count: 1, ms: 6 }, output: { count: 1, ms: 0 } }],
    ])
  })

  it("has few counters, whatever sizes clients choose", () => {
    const statistics = new VersionStatistics()
    for (let rows = 0; rows < 100_000; rows += 7) statistics.executed(rows, 1, 1)
    const sizes = statistics.batches.map(([rows]) => rows)
    assert.isBelow(sizes.length, 300)
    assert.deepStrictEqual(
      sizes.filter((rows) => rows > 256),
      [512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536],
    )
    assert.includeMembers([...sizes], [0, 7, 252])
  })
})

describe("what a version runs", () => {
  beforeEach(controlTime)
  afterEach(() => {
    vi.useRealTimers()
  })

  it("counts rows and runs: joined requests share one", async () => {
    const { model, statistics, submit } = openBatcher(1, 8)
    const all = Promise.all([submit(1, 2), submit(10, 3)])
    await pass()
    model.current.complete(undefined, 4)
    await all
    assert.deepInclude(statistics, { inferences: 5, executions: 1 })
    assert.deepStrictEqual(
      statistics.batches.map(([rows, { compute }]) => [rows, compute]),
      [[5, { count: 1, ms: 4 }]],
    )
  })

  it("tells the way back from the run", async () => {
    const { model, statistics, submit } = openBatcher(1, 1)
    const one = submit(1)
    await pass(10)
    model.current.complete(undefined, 4)
    await one
    // The run waited half a millisecond for its thread.
    assert.deepStrictEqual(statistics.batches[0]?.[1].output, { count: 1, ms: 5.5 })
  })

  it("counts no run that gave nothing", async () => {
    const { model, statistics, submit } = openBatcher(1, 1)
    const failed = tagOf(submit(1))
    await pass()
    model.current.fail()
    assert.strictEqual(await failed, "RunFailed")
    assert.deepInclude(statistics, { inferences: 0, executions: 0, lastInference: 0 })
  })
})
