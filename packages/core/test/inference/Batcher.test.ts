import { afterEach, assert, beforeEach, describe, it, vi } from "@effect/vitest"
import type { Tensor } from "../../src/model/Tensor.ts"
import {
  answerTo,
  controlTime,
  openBatcher,
  pass,
  rejectionOf,
  request,
  rowsFrom,
} from "./ControlledModel.ts"

beforeEach(controlTime)
afterEach(() => {
  vi.useRealTimers()
})

describe("what arrives together", () => {
  it("runs together, and each gets its own rows without a copy", async () => {
    const { model, submit } = openBatcher(1, 8)
    const answers = [submit(10), submit(20, 3), submit(30)]
    assert.lengthOf(model.runs, 0)
    await pass()
    assert.deepStrictEqual(model.ids, [[10, 20, 30]])
    const outputs = answerTo(model.current.members, ["double"])
    model.current.complete(outputs)
    const [first, second, third] = await Promise.all(answers)
    assert.deepStrictEqual(first?.outputs, answerTo([{ x: rowsFrom(10) }], ["double"]))
    assert.deepStrictEqual(second?.outputs, answerTo([{ x: rowsFrom(20, 3) }], ["double"]))
    assert.deepStrictEqual(third?.outputs, answerTo([{ x: rowsFrom(30) }], ["double"]))
    const double = second?.outputs["double"]
    assert.isTrue(
      double?.datatype === "INT32" &&
        outputs["double"]?.datatype === "INT32" &&
        double.data.buffer === outputs["double"].data.buffer,
    )
  })

  it("is counted in rows, up to the limit; the rest waits for a free runner", async () => {
    const { model, submit } = openBatcher(1, 4)
    for (const [id, rows] of [
      [10, 2],
      [20, 3],
      [30, 2],
      [40, 9],
      [50, 1],
    ] as const)
      void submit(id, rows)
    for (let ended = 0; ended < 3; ended++) {
      await pass()
      model.current.complete()
    }
    await pass()
    assert.deepStrictEqual(model.ids, [[10, 30], [20, 50], [40]])
  })

  it("joins only requests of equal shapes but for the first dimension", async () => {
    const { model, batcher } = openBatcher(9, 8)
    for (const x of [rowsFrom(1, 1, 2), rowsFrom(100, 1, 3), rowsFrom(200, 2, 2)])
      void batcher.submit(request({ x }))
    await pass()
    assert.deepStrictEqual(model.ids, [[1, 200], [100]])
  })

  it("joins nothing that has no rows to join: no inputs, scalars, or rows in unequal numbers", async () => {
    const { model, batcher } = openBatcher(99, 8)
    const scalar: Tensor = { datatype: "INT32", shape: [], data: Int32Array.of(1) }
    for (const inputs of [
      {},
      { x: scalar },
      { x: rowsFrom(1), y: scalar },
      { x: rowsFrom(1), y: rowsFrom(1, 2) },
    ])
      for (let times = 0; times < 2; times++) void batcher.submit(request(inputs))
    await pass()
    assert.deepStrictEqual(
      model.runs.map(({ members }) => members.length),
      [1, 1, 1, 1, 1, 1, 1, 1],
    )
  })

  it("is not joined when the limit is one row, and short runs are handed over a few at once", async () => {
    const { model, submit } = openBatcher(1, 1)
    void submit(0)
    await pass()
    model.current.complete(undefined, 0.5)
    for (let id = 1; id <= 10; id++) void submit(id)
    await pass()
    // Four runs of half a millisecond.
    assert.deepStrictEqual(model.ids, [[0], [1], [2], [3], [4]])
    for (const run of model.underWay) run.complete(undefined, 1000)
    await pass()
    assert.deepStrictEqual(model.ids.slice(5), [[5]])
  })

  it("a hand-over of several runs ends with the last of them", async () => {
    const { model, submit } = openBatcher(1, 1)
    void submit(0)
    await pass()
    model.current.complete(undefined, 0)
    for (let id = 1; id <= 40; id++) void submit(id)
    await pass()
    const [first, ...others] = [...model.underWay]
    assert.lengthOf(others, 31)
    for (const run of others) run.complete(undefined, 0)
    await pass()
    assert.lengthOf(model.underWay, 1)
    first?.complete(undefined, 0)
    await pass()
    assert.lengthOf(model.underWay, 8)
  })
})

describe("what arrives while all runners are busy", () => {
  it("is taken when one frees up, without delay", async () => {
    const { model, submit } = openBatcher(2, 8)
    for (const id of [1, 2, 3, 4]) {
      void submit(id)
      await pass()
    }
    assert.deepStrictEqual(model.ids, [[1], [2]])
    model.current.complete()
    await pass()
    assert.deepStrictEqual(model.ids, [[1], [2], [3, 4]])
  })

  it("is taken by priority, lower first, then by arrival", async () => {
    const { model, submit } = openBatcher(1, 1)
    void submit(0)
    await pass()
    for (const [id, priority] of [
      [1, 5],
      [2, 0],
      [3, -5],
      [4, 0],
    ] as const)
      void submit(id, 1, { priority })
    for (let ended = 0; ended < 4; ended++) {
      model.current.complete(undefined, 100)
      await pass()
    }
    assert.deepStrictEqual(model.ids, [[0], [3], [2], [4], [1]])
  })
})

describe("outputs", () => {
  it("each request gets those it asked for, in its order; the model gives what any wants", async () => {
    const { model, submit } = openBatcher(1, 8)
    const wanted = [["first", "double"], ["double"], ["first"]]
    const answers = wanted.map((outputs, index) => submit(index * 10, 1, { outputs }))
    await pass()
    assert.deepStrictEqual(model.current.outputs, ["first", "double"])
    model.current.complete()
    for (const [index, { outputs }] of (await Promise.all(answers)).entries()) {
      assert.deepStrictEqual(Object.keys(outputs), wanted[index])
      assert.deepStrictEqual(outputs, answerTo([{ x: rowsFrom(index * 10) }], wanted[index] ?? []))
    }
  })

  it("nobody computes what nobody wants", async () => {
    const { model, submit } = openBatcher(1, 8)
    const outputs = ["first"]
    void submit(1, 1, { outputs })
    void submit(2, 1, { outputs })
    await pass()
    assert.strictEqual(model.current.outputs, outputs)
  })
})

describe("a delay", () => {
  it("lets the first wait for company, until there is enough of it", async () => {
    const { model, submit } = openBatcher(1, 3, 10)
    void submit(1)
    await pass(5)
    void submit(2)
    await pass(4)
    assert.lengthOf(model.runs, 0)
    void submit(3)
    await pass()
    assert.deepStrictEqual(model.ids, [[1, 2, 3]])
  })

  it("ends for all when it ends for the first", async () => {
    const { model, submit } = openBatcher(2, 3, 10)
    void submit(1)
    await pass(5)
    void submit(2)
    await pass(5)
    assert.deepStrictEqual(model.ids, [[1, 2]])
    void submit(3)
    await pass(9)
    assert.lengthOf(model.runs, 1)
    await pass(1)
    assert.deepStrictEqual(model.ids, [[1, 2], [3]])
  })

  it("counts anew when the first leaves", async () => {
    const { model, submit } = openBatcher(1, 3, 10)
    const leaving = new AbortController()
    const left = rejectionOf(submit(1, 1, { signal: leaving.signal }))
    await pass(5)
    void submit(2)
    leaving.abort("gone")
    assert.strictEqual(await left, "gone")
    await pass(9)
    assert.lengthOf(model.runs, 0)
    await pass(1)
    assert.deepStrictEqual(model.ids, [[2]])
  })

  it("is not for those that can't have company", async () => {
    const { model, batcher } = openBatcher(2, 3, 10)
    void batcher.submit(request({}))
    await pass()
    void batcher.submit(request({ x: rowsFrom(1, 3) }))
    await pass()
    assert.lengthOf(model.runs, 2)
  })
})

describe("times", () => {
  it("say how long a request waited, and how long the model ran", async () => {
    const { model, submit } = openBatcher(1, 8)
    const answers = [submit(1)]
    await pass()
    answers.push(submit(2))
    await pass(7)
    answers.push(submit(3))
    model.current.complete(undefined, 7)
    await pass()
    model.current.complete(undefined, 3)
    assert.deepStrictEqual(
      (await Promise.all(answers)).map(({ queueMs, computeMs }) => [queueMs, computeMs]),
      [
        [0.5, 7],
        [7.5, 3],
        [0.5, 3],
      ],
    )
  })
})

describe("closing", () => {
  it("is at once when nobody waits", async () => {
    const { batcher } = openBatcher(1, 8)
    await batcher.close()
  })

  it("is when the last caller was answered or left, whatever still runs", async () => {
    const { model, submit, batcher } = openBatcher(1, 1)
    const caller = new AbortController()
    const answered = submit(10)
    const left = batcher.submit(request({ x: rowsFrom(20) }, { signal: caller.signal })).catch(() => "left")
    let idle = false
    const waiting = batcher.close().then(() => {
      idle = true
    })
    await pass()
    assert.isFalse(idle)
    caller.abort()
    await left
    await pass()
    assert.isFalse(idle)
    model.current.complete()
    await answered
    await waiting
    assert.isTrue(idle)
  })
})
