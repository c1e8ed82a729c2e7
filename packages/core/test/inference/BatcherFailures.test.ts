import { afterEach, assert, beforeEach, describe, it, vi } from "@effect/vitest"
import { RunnerUnavailable, RunTimedOut, RuntimeError } from "../../src/inference/ModelRuntime.ts"
import type { Tensor } from "../../src/model/Tensor.ts"
import { answerTo, controlTime, openBatcher, pass, rejectionOf, rowsFrom, tagOf } from "./ControlledModel.ts"

beforeEach(controlTime)
afterEach(() => {
  vi.useRealTimers()
})

describe("a run that fails", () => {
  it("fails a single request as it is", async () => {
    const { model, submit } = openBatcher(1, 8)
    const failed = tagOf(submit(1))
    await pass()
    model.current.fail()
    assert.strictEqual(await failed, "RunFailed")
  })

  it("with several in it is run again for each apart, before others, so that only the guilty one fails", async () => {
    const { model, submit } = openBatcher(1, 8)
    const answers = [submit(1), submit(2), submit(3)].map(rejectionOf)
    await pass()
    const later = submit(4)
    model.current.fail()
    await pass()
    for (const id of [1, 2, 3]) {
      assert.deepStrictEqual(model.current.ids, [id])
      if (id === 2) model.current.fail("two")
      else model.current.complete()
      await pass()
    }
    assert.deepStrictEqual(model.ids, [[1, 2, 3], [1], [2], [3], [4]])
    const [first, second, third] = await Promise.all(answers)
    assert.deepStrictEqual([first, third], ["it was resolved", "it was resolved"])
    assert.include(String(second), "two")
    model.current.complete()
    await later
  })

  it("by a bug is treated alike, also when the model throws at once", async () => {
    const { model, submit } = openBatcher(1, 8)
    const bug = new Error("a bug")
    model.onRun = ({ ids }) => {
      if (ids.includes(2)) throw bug
    }
    const answers = [submit(1), submit(2)].map(rejectionOf)
    await pass()
    assert.deepStrictEqual(model.ids, [[1, 2], [1]])
    model.current.complete()
    await pass()
    assert.deepStrictEqual(await Promise.all(answers), ["it was resolved", bug])
  })

  it("for want of a runner, or by the operator's limit, fails all in it", async () => {
    for (const reason of [new RunnerUnavailable({ detail: "no" }), new RunTimedOut({ limitMs: 5 })]) {
      const { model, submit } = openBatcher(1, 8)
      const failed = [tagOf(submit(1)), tagOf(submit(2))]
      await pass()
      model.current.reject(new RuntimeError({ reason }))
      assert.deepStrictEqual(await Promise.all(failed), [reason._tag, reason._tag])
      await pass()
      assert.lengthOf(model.runs, 1)
    }
  })
})

describe("a runner that is lost", () => {
  it("is forgiven once to each, one after another, while others go on", async () => {
    const { model, submit } = openBatcher(3, 8)
    const answers = [submit(1), submit(2), submit(3)].map(tagOf)
    await pass()
    model.current.lose()
    await pass()
    // One suspect at a time, though there is room for more.
    assert.deepStrictEqual(model.ids, [[1, 2, 3], [1]])
    const other = submit(4)
    await pass()
    assert.deepStrictEqual(model.ids, [[1, 2, 3], [1], [4]])
    const [suspect, neighbour] = [...model.underWay]
    suspect?.complete()
    await pass()
    assert.deepStrictEqual([...model.underWay][1]?.ids, [2])
    // The guilty one takes the neighbour along, who did not know it before.
    ;[...model.underWay][1]?.lose()
    neighbour?.lose()
    await pass()
    assert.deepStrictEqual(model.current.ids, [3])
    model.current.complete()
    await pass()
    assert.deepStrictEqual(model.current.ids, [4])
    model.current.complete()
    assert.deepStrictEqual(await Promise.all(answers), ["it was resolved", "RunnerLost", "it was resolved"])
    await other
  })

  it("a second time, alone, fails the request", async () => {
    const { model, submit } = openBatcher(1, 1)
    const failed = tagOf(submit(1))
    await pass()
    model.current.lose()
    await pass()
    model.current.lose()
    assert.strictEqual(await failed, "RunnerLost")
    await pass()
    assert.lengthOf(model.runs, 2)
  })

  it("is forgiven also to a request that a neighbour had spoiled before", async () => {
    const { model, submit } = openBatcher(1, 8)
    const answers = [submit(1), submit(2)]
    await pass()
    model.current.fail()
    await pass()
    model.current.lose()
    await pass()
    for (const id of [1, 2]) {
      assert.deepStrictEqual(model.current.ids, [id])
      model.current.complete()
      await pass()
    }
    await Promise.all(answers)
  })

  it("with a suspect at work does not let a second one beside it", async () => {
    const { model, submit } = openBatcher(2, 1)
    const answers = [submit(1), submit(2)]
    await pass()
    const [first, second] = [...model.underWay]
    first?.lose()
    await pass()
    assert.deepStrictEqual([...model.underWay][1]?.ids, [1])
    second?.lose()
    await pass()
    assert.deepStrictEqual(
      [...model.underWay].map(({ ids }) => ids),
      [[1]],
    )
    model.current.complete()
    await pass()
    model.current.complete()
    await Promise.all(answers)
  })
})

describe("a model that mixes rows after all", () => {
  it("gives each request its answer apart, and is not trusted again", async () => {
    const { model, submit } = openBatcher(1, 8, 10)
    const mixed: Tensor = { datatype: "INT32", shape: [1, 2], data: Int32Array.of(0, 0) }
    const answers = [submit(1, 4), submit(20, 4)]
    await pass()
    assert.lengthOf(model.current.members, 2)
    model.current.complete({ double: mixed }, 100)
    await pass()
    for (const id of [1, 20]) {
      assert.deepStrictEqual(model.current.ids, [id])
      model.current.complete(undefined, 100)
      await pass()
    }
    assert.deepStrictEqual(
      (await Promise.all(answers)).map(({ outputs }) => outputs),
      [1, 20].map((id) => answerTo([{ x: rowsFrom(id, 4) }], ["double"])),
    )
    void submit(30)
    void submit(40)
    await pass()
    assert.deepStrictEqual(model.current.ids, [30])
  })

  it("among requests that waited before it was known", async () => {
    const { model, submit } = openBatcher(1, 2)
    for (const id of [10, 20, 30, 40]) void submit(id)
    await pass()
    model.current.complete({ double: rowsFrom(0, 3) }, 100)
    for (let ended = 0; ended < 3; ended++) {
      await pass()
      model.current.complete(undefined, 100)
    }
    await pass()
    assert.deepStrictEqual(model.ids, [[10, 20], [10], [20], [30], [40]])
  })
})
