import { getEventListeners } from "node:events"
import { afterEach, assert, beforeEach, describe, it, vi } from "@effect/vitest"
import {
  answerTo,
  controlTime,
  openBatcher,
  pass,
  rejectionOf,
  request,
  rowsFrom,
  tagOf,
} from "./ControlledModel.ts"

beforeEach(controlTime)
afterEach(() => {
  vi.useRealTimers()
})

describe("a caller who leaves", () => {
  it("is told why, and costs nothing when it still waited", async () => {
    const { model, submit } = openBatcher(1, 8)
    void submit(1)
    await pass()
    const leaving = new AbortController()
    const left = submit(2, 1, { signal: leaving.signal })
    void submit(3)
    leaving.abort("gone")
    assert.strictEqual(await rejectionOf(left), "gone")
    model.current.complete()
    await pass()
    assert.deepStrictEqual(model.ids, [[1], [3]])
  })

  it("before it came is not even queued", async () => {
    const { model, submit } = openBatcher(1, 8)
    assert.strictEqual(await rejectionOf(submit(1, 1, { signal: AbortSignal.abort("gone") })), "gone")
    await pass()
    assert.lengthOf(model.runs, 0)
    assert.strictEqual(vi.getTimerCount(), 0)
  })

  it("during its run leaves its neighbours their answers", async () => {
    const { model, submit } = openBatcher(1, 8)
    const leaving = new AbortController()
    const left = rejectionOf(submit(1, 1, { signal: leaving.signal }))
    const stayed = submit(2)
    await pass()
    leaving.abort("gone")
    model.current.complete()
    assert.strictEqual(await left, "gone")
    assert.deepStrictEqual((await stayed).outputs, answerTo([{ x: rowsFrom(2) }], ["double"]))
  })

  it("is not run again when its run fails", async () => {
    const { model, submit } = openBatcher(1, 8)
    const leaving = new AbortController()
    const left = rejectionOf(submit(1, 1, { signal: leaving.signal }))
    void submit(2)
    await pass()
    leaving.abort("gone")
    model.current.fail()
    await pass()
    assert.strictEqual(await left, "gone")
    assert.deepStrictEqual(model.ids, [[1, 2], [2]])
  })

  it("while it waits to run apart is dropped there, too", async () => {
    const { model, submit } = openBatcher(1, 8)
    const [spoiled, suspected] = [new AbortController(), new AbortController()]
    const left = [submit(1), submit(2, 1, { signal: spoiled.signal })].map(rejectionOf)
    await pass()
    model.current.fail()
    await pass()
    spoiled.abort("gone")
    model.current.fail()
    await pass()
    const lost = [submit(3), submit(4, 1, { signal: suspected.signal })].map(rejectionOf)
    await pass()
    model.current.lose()
    await pass()
    suspected.abort("gone")
    model.current.complete()
    await pass()
    assert.deepStrictEqual(model.ids, [[1, 2], [1], [3, 4], [3]])
    assert.strictEqual(await left[1], "gone")
    assert.deepStrictEqual(await Promise.all(lost), ["it was resolved", "gone"])
  })

  it("leaves nothing behind, however many do while a run hangs", async () => {
    const { model, batcher, submit } = openBatcher(1, 8)
    void submit(0)
    await pass()
    const timers = vi.getTimerCount()
    const leaving = new AbortController()
    const x = rowsFrom(1)
    const left: Array<Promise<unknown>> = []
    let reads = 0
    const inputs = {
      get x() {
        reads++
        return x
      },
    }
    for (let count = 0; count < 2000; count++)
      left.push(rejectionOf(batcher.submit(request(inputs, { signal: leaving.signal, priority: count % 7 }))))
    leaving.abort("gone")
    assert.deepStrictEqual(new Set(await Promise.all(left)), new Set(["gone"]))
    assert.lengthOf(getEventListeners(leaving.signal, "abort"), 0)
    assert.isAtMost(vi.getTimerCount(), timers + 1)
    reads = 0
    model.current.complete()
    await pass()
    assert.lengthOf(model.runs, 1)
    assert.strictEqual(reads, 0)
  })

  it("leaves nothing on a signal that outlives the request", async () => {
    const { model, submit } = openBatcher(1, 8)
    const { signal } = new AbortController()
    const answers = [submit(1, 1, { signal }), rejectionOf(submit(2, 1, { signal, timeoutMs: 5 }))]
    assert.lengthOf(getEventListeners(signal, "abort"), 2)
    await pass(5)
    model.current.complete()
    await Promise.all(answers)
    assert.lengthOf(getEventListeners(signal, "abort"), 0)
    await pass()
    assert.strictEqual(vi.getTimerCount(), 0)
  })
})

describe("a deadline", () => {
  it("that passes while the request waits drops it", async () => {
    const { model, submit } = openBatcher(1, 8)
    void submit(1)
    await pass()
    const late = submit(2, 1, { timeoutMs: 5 })
    const error = rejectionOf(late)
    await pass(5)
    assert.strictEqual(await tagOf(late), "DeadlineExceeded")
    assert.include(String(await error), "within the 5 ms")
    model.current.complete()
    await pass()
    assert.lengthOf(model.runs, 1)
  })

  it("that passes during the run is told at once; the run goes on", async () => {
    const { model, submit } = openBatcher(1, 8)
    const [late, patient] = [submit(1, 1, { timeoutMs: 5 }), submit(2)]
    const error = tagOf(late)
    await pass(5)
    assert.strictEqual(await error, "DeadlineExceeded")
    model.current.complete()
    assert.deepStrictEqual((await patient).outputs, answerTo([{ x: rowsFrom(2) }], ["double"]))
  })

  it("that has passed already needs no timer, nor does one that is no time", async () => {
    const { model, submit } = openBatcher(1, 8)
    for (const timeoutMs of [0, -5, Number.NaN])
      assert.strictEqual(await tagOf(submit(1, 1, { timeoutMs })), "DeadlineExceeded")
    await pass()
    assert.lengthOf(model.runs, 0)
  })

  it("that passed while the event loop was busy is noticed before the run", async () => {
    const { model, submit } = openBatcher(1, 8)
    const [late, other] = [tagOf(submit(1, 1, { timeoutMs: 5 })), submit(2)]
    const onlyLate = tagOf(submit(3, 1, { timeoutMs: 5 }))
    // The clock goes on, but no timer fires.
    const now = performance.now()
    vi.spyOn(performance, "now").mockImplementation(() => now + 6)
    await pass()
    vi.restoreAllMocks()
    assert.deepStrictEqual(model.ids, [[2]])
    assert.strictEqual(await late, "DeadlineExceeded")
    assert.strictEqual(await onlyLate, "DeadlineExceeded")
    model.current.complete()
    await other
  })

  it("is not held up by a run that nobody wants any more", async () => {
    const { model, submit } = openBatcher(1, 1)
    const late = tagOf(submit(1, 1, { timeoutMs: 5 }))
    const now = performance.now()
    vi.spyOn(performance, "now").mockImplementation(() => now + 6)
    await pass()
    vi.restoreAllMocks()
    assert.strictEqual(await late, "DeadlineExceeded")
    assert.lengthOf(model.runs, 0)
    void submit(2)
    await pass()
    assert.deepStrictEqual(model.ids, [[2]])
  })

  it("beyond what a timer can hold does not fire at once", async () => {
    const { model, submit } = openBatcher(1, 8)
    const answer = submit(1, 1, { timeoutMs: Number.POSITIVE_INFINITY })
    await pass(10)
    model.current.complete()
    assert.strictEqual((await answer).computeMs, 1)
  })
})
