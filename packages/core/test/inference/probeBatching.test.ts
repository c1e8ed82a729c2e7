import { afterEach, assert, beforeEach, describe, it, vi } from "@effect/vitest"
import {
  type LoadedModel,
  LoadFailed,
  RunFailed,
  RunnerLost,
  RunnerUnavailable,
  RunTimedOut,
  RuntimeError,
  type RuntimeError as RuntimeFailure,
} from "../../src/inference/ModelRuntime.ts"
import { probeBatching } from "../../src/inference/probeBatching.ts"
import type { Datatype } from "../../src/model/Datatype.ts"
import type { Dimension, Signature } from "../../src/model/Signature.ts"
import type { Tensor, Tensors } from "../../src/model/Tensor.ts"

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance"] })
})
afterEach(() => {
  vi.useRealTimers()
})

const shapes = (
  inputs: ReadonlyArray<ReadonlyArray<Dimension>>,
  outputs: ReadonlyArray<ReadonlyArray<Dimension>> = [["batch", 2]],
  datatype: Datatype = "FP32",
): Signature => ({
  inputs: inputs.map((shape, index) => ({ name: `x${index}`, datatype, shape })),
  outputs: outputs.map((shape, index) => ({ name: `y${index}`, datatype: "FP32", shape })),
})

const plain = shapes([["batch", 2]])

const rowsOf = (members: ReadonlyArray<Tensors>): Array<ReadonlyArray<number>> =>
  members.map(({ x0 }) => Array.from(x0?.data ?? [], Number))

const toTensor = (rows: ReadonlyArray<ReadonlyArray<number>>): Tensor => ({
  datatype: "FP32",
  shape: [rows.length, rows[0]?.length ?? 0],
  data: Float32Array.from(rows.flat()),
})

/** Every row doubled. */
const faithful = (members: ReadonlyArray<Tensors>): Tensors => ({
  y0: toTensor(rowsOf(members).map((row) => row.map((element) => element * 2))),
})

interface Behaviour {
  /** Milliseconds of a run of so many rows; time passes by them. */
  readonly cost?: (rows: number, run: number) => number
  readonly answer?: (members: ReadonlyArray<Tensors>) => Tensors
  readonly failure?: (
    rows: number,
    members: ReadonlyArray<Tensors>,
  ) => RuntimeFailure["reason"] | Error | undefined
}

/** A model, and how many rows each of its runs had. */
const modelOf = ({ cost = () => 1, answer = faithful, failure = () => undefined }: Behaviour) => {
  const runs: Array<number> = []
  const run: LoadedModel["run"] = async (members) => {
    runs.push(members.length)
    const computeMs = cost(members.length, runs.length)
    vi.advanceTimersByTime(computeMs)
    const failed = failure(members.length, members)
    if (failed instanceof Error && !("_tag" in failed)) throw failed
    if (failed !== undefined) throw new RuntimeError({ reason: failed as RuntimeFailure["reason"] })
    return { outputs: answer(members), queueMs: 0, computeMs }
  }
  const model: LoadedModel = {
    instances: 1,
    concurrency: 2,
    failure: undefined,
    run,
    memoryBytes: () => Promise.resolve(0),
  }
  return { runs, model }
}

const limitOf = async (behaviour: Behaviour, signature = plain) => {
  const { model, runs } = modelOf(behaviour)
  const { joins, worthwhile } = await probeBatching(model, signature)
  if (joins !== true) assert.strictEqual(worthwhile, 1)
  return { maxBatchSize: worthwhile, runs }
}

const sum = (numbers: ReadonlyArray<number>) => numbers.reduce((a, b) => a + b, 0)

describe("the signature", () => {
  const limitFor = async (signature: Signature, answer?: Behaviour["answer"]) =>
    (await limitOf({ cost: (rows) => 0.1 + rows * 0.01, ...(answer && { answer }) }, signature)).maxBatchSize

  it("has to give all inputs one and the same first dimension of no fixed size", async () => {
    assert.strictEqual(await limitFor(plain), 64)
    assert.strictEqual(await limitFor(shapes([["batch", 2], ["batch"]])), 64)
    assert.strictEqual(await limitFor(shapes([[-1, 2]], [[-1, 2]])), 64)
    for (const inputs of [
      [],
      [[]],
      [[1, 2]],
      [["batch", 2], ["other"]],
      [["batch", 2], []],
      [["batch"], [4]],
    ])
      assert.strictEqual(await limitFor(shapes(inputs)), 1, JSON.stringify(inputs))
  })

  it("may name the first dimension of outputs otherwise, but not fix it, and there have to be some", async () => {
    assert.strictEqual(await limitFor(shapes([["batch", 2]], [["unk__12", 2]])), 64)
    assert.strictEqual(await limitFor(shapes([["batch", 2]], [[-1, 2]])), 64)
    for (const outputs of [[], [[]], [[1, 2]], [["batch"], [2]]])
      assert.strictEqual(await limitFor(shapes([["batch", 2]], outputs)), 1, JSON.stringify(outputs))
  })

  it("that can't join costs no run", async () => {
    assert.deepStrictEqual((await limitOf({}, shapes([[1, 2]]))).runs, [])
    assert.deepStrictEqual((await limitOf({}, shapes([["batch", 2 ** 30]]))).runs, [])
  })
})

describe("a model that gives other rows when they are joined joins nothing", () => {
  const mixing: Record<string, NonNullable<Behaviour["answer"]>> = {
    "each row gets what came before it": (members) => {
      let before = 0
      return {
        y0: toTensor(
          rowsOf(members).map((row) => {
            before += sum(row)
            return [before, before]
          }),
        ),
      }
    },
    "the mean of the batch is taken off": (members) => {
      const rows = rowsOf(members)
      const mean = sum(rows.flat()) / rows.length
      return { y0: toTensor(rows.map((row) => row.map((element) => element - mean))) }
    },
    "the rows come in another order": (members) => ({
      y0: toTensor(
        rowsOf([...members].sort((a, b) => sum(rowsOf([a])[0] ?? []) - sum(rowsOf([b])[0] ?? []))),
      ),
    }),
    "one row for all": (members) => ({ y0: toTensor(rowsOf(members).slice(0, 1)) }),
    "three rows, whatever comes": () => ({
      y0: toTensor([
        [1, 2],
        [3, 4],
        [5, 6],
      ]),
    }),
    "a scalar": () => ({ y0: { datatype: "FP32", shape: [], data: Float32Array.of(1) } }),
    "an output missing": (members) => (members.length === 1 ? faithful(members) : {}),
  }
  for (const [what, answer] of Object.entries(mixing))
    for (const datatype of ["FP32", "INT64", "BOOL"] as const)
      it(`${what}, ${datatype}`, async () => {
        const { maxBatchSize } = await limitOf({ answer }, shapes([["batch", 2]], [["batch", 2]], datatype))
        assert.strictEqual(maxBatchSize, 1)
      })
})

describe("how far it pays", () => {
  const limit = async (cost: NonNullable<Behaviour["cost"]>) => (await limitOf({ cost })).maxBatchSize

  it("is to the largest size tried that makes a row cheaper", async () => {
    assert.strictEqual(await limit((rows) => 0.1 + rows * 0.01), 64)
    assert.strictEqual(await limit((rows) => (rows <= 8 ? 1 + rows * 0.1 : rows)), 8)
    assert.strictEqual(await limit((rows) => (rows === 64 ? 100 : 0.5)), 32)
  })

  it("is not at all where it hurts, or gains less than five in a hundred", async () => {
    assert.strictEqual(await limit((rows) => rows * 1.1), 1)
    assert.strictEqual(await limit((rows) => rows + 0.04), 1)
  })

  it("is not misjudged for one size without gain, but ends with two", async () => {
    assert.strictEqual(await limit((rows) => (rows === 2 ? 2.2 : 0.5 + rows * 0.01)), 64)
    const { maxBatchSize, runs } = await limitOf({ cost: (rows) => (rows === 2 ? 1.5 : rows) })
    assert.strictEqual(maxBatchSize, 2)
    assert.strictEqual(Math.max(...runs), 8)
  })

  it("is told by the best of a few runs, so that the slow first one of a size does not count", async () => {
    const seen = new Set<number>()
    const cost = (rows: number) => {
      const isFirst = !seen.has(rows)
      seen.add(rows)
      return isFirst ? 20 : 0.1 + rows * 0.01
    }
    assert.isAbove(await limit(cost), 1)
  })
})

describe("what it costs", () => {
  it("is one run of a model that is far too slow", async () => {
    assert.deepStrictEqual(await limitOf({ cost: () => 2000 }), { maxBatchSize: 1, runs: [1] })
  })

  it("is two runs of a model that keeps the cores busy with one row", async () => {
    assert.deepStrictEqual(await limitOf({ cost: () => 60 }), { maxBatchSize: 1, runs: [1, 1] })
  })

  it("is little more when only the first run was slow", async () => {
    const { maxBatchSize } = await limitOf({ cost: (rows, run) => (run === 1 ? 150 : 0.1 + rows * 0.01) })
    assert.strictEqual(maxBatchSize, 64)
  })

  it("stays within the budget, which decides how large a batch is tried", async () => {
    for (const each of [1, 5, 20, 50]) {
      const before = performance.now()
      const { maxBatchSize, runs } = await limitOf({ cost: (rows) => each * (0.5 + rows / 2) })
      assert.isAtMost(performance.now() - before, 200 + 200)
      assert.isAtLeast(maxBatchSize, 1)
      assert.isTrue(each * Math.max(...runs) <= 200, `${runs}`)
    }
  })

  it("is at most five runs of a size", async () => {
    const { runs } = await limitOf({ cost: () => 0.01 })
    for (const size of [2, 4, 8, 16, 32, 64])
      assert.lengthOf(
        runs.filter((rows) => rows === size),
        5,
      )
  })

  it("keeps to so many bytes, of inputs and of outputs", async () => {
    // A row of 4 MiB: sixteen of them are 64 MiB, less than that with their outputs.
    const answer: Behaviour["answer"] = (members) => ({ y0: toTensor(members.map(() => [1, 2])) })
    const wide = await limitOf({ answer }, shapes([["batch", 2 ** 20]]))
    assert.strictEqual(Math.max(...wide.runs), 8)
    const huge = await limitOf({ answer }, shapes([["batch", 2 ** 23]]))
    assert.deepStrictEqual(huge, { maxBatchSize: 1, runs: [1, 1] })
  })
})

describe("an operator's batch size", () => {
  const tried = async (behaviour: Behaviour, wanted: number, signature = plain) => {
    const { model, runs } = modelOf(behaviour)
    return { ...(await probeBatching(model, signature, wanted)), runs }
  }

  it("of 1 spares the runs", async () => {
    assert.deepStrictEqual(await tried({}, 1), { joins: undefined, worthwhile: 1, runs: [] })
  })

  it("has also a slow model tried, but not measured", async () => {
    assert.deepStrictEqual(await tried({ cost: () => 60 }, 4), {
      joins: true,
      worthwhile: 1,
      runs: [1, 1, 3],
    })
    assert.deepStrictEqual(await tried({ cost: () => 2000 }, 4), {
      joins: true,
      worthwhile: 1,
      runs: [1, 1, 3],
    })
    const { model } = modelOf({ cost: () => 60 })
    assert.strictEqual((await probeBatching(model, plain)).joins, undefined)
  })

  it("does not make a model join that mixes rows, or has nothing to join by", async () => {
    const answer: Behaviour["answer"] = (members) => ({ y0: toTensor(rowsOf(members).slice(0, 1)) })
    assert.strictEqual((await tried({ answer }, 4)).joins, false)
    assert.strictEqual((await tried({}, 4, shapes([[1, 2]]))).joins, false)
  })
})

describe("dimensions of no fixed size inside", () => {
  const open = shapes([["batch", "length"]])
  it("resemble real requests", async () => {
    const widths = new Set<number>()
    await limitOf(
      {
        answer: (members) => {
          widths.add(rowsOf(members)[0]?.length ?? 0)
          return faithful(members)
        },
      },
      open,
    )
    assert.deepStrictEqual([...widths], [32])
  })

  it("are 1 for models that can't take that", async () => {
    const { maxBatchSize } = await limitOf(
      {
        cost: (rows) => 0.1 + rows * 0.01,
        failure: (_rows, members) =>
          rowsOf(members)[0]?.length === 1 ? undefined : new RunFailed({ detail: "too long" }),
      },
      open,
    )
    assert.strictEqual(maxBatchSize, 64)
  })

  it("are 1 where they would be too large otherwise", async () => {
    const { maxBatchSize } = await limitOf(
      {},
      shapes([["batch", "height", "width", "depth", "time", "more"]]),
    )
    assert.strictEqual(maxBatchSize, 64)
  })
})

describe("a model that fails", () => {
  it("on all that is made up joins nothing", async () => {
    const { maxBatchSize, runs } = await limitOf({ failure: () => new RunFailed({ detail: "no" }) })
    assert.strictEqual(maxBatchSize, 1)
    assert.deepStrictEqual(runs, [1, 1])
  })

  it("on the second input made up joins nothing", async () => {
    let runs = 0
    const failure = () => (++runs === 2 ? new RunFailed({ detail: "no" }) : undefined)
    assert.strictEqual((await limitOf({ failure })).maxBatchSize, 1)
  })

  it("on joined rows, in whatever way, joins nothing", async () => {
    for (const reason of [
      new RunFailed({ detail: "a reshape" }),
      new RunnerLost({ detail: "too much memory" }),
      new RunTimedOut({ limitMs: 5 }),
    ]) {
      const { maxBatchSize } = await limitOf({ failure: (rows) => (rows > 1 ? reason : undefined) })
      assert.strictEqual(maxBatchSize, 1)
    }
  })

  it("at some size joins up to the one before", async () => {
    const failure = (rows: number) => (rows > 10 ? new RunnerLost({ detail: "too much memory" }) : undefined)
    const { maxBatchSize } = await limitOf({ failure, cost: (rows) => 0.1 + rows * 0.01 })
    assert.strictEqual(maxBatchSize, 8)
  })

  it("while a single row is measured joins nothing", async () => {
    let runs = 0
    const failure = () => (++runs > 3 ? new RunFailed({ detail: "no" }) : undefined)
    assert.strictEqual((await limitOf({ failure })).maxBatchSize, 1)
  })

  it("to end within the operator's limit joins nothing, and is not tried further", async () => {
    const { maxBatchSize, runs } = await limitOf({ failure: () => new RunTimedOut({ limitMs: 5 }) })
    assert.strictEqual(maxBatchSize, 1)
    assert.deepStrictEqual(runs, [1])
  })

  it("altogether fails the load", async () => {
    for (const reason of [
      new RunnerLost({ detail: "it crashed" }),
      new RunnerUnavailable({ detail: "no memory" }),
      new LoadFailed({ detail: "no" }),
      new Error("a bug"),
    ]) {
      const { model } = modelOf({ failure: () => reason })
      const error = await probeBatching(model, plain).then(
        () => undefined,
        (error: unknown) => error,
      )
      assert.strictEqual(error instanceof RuntimeError ? error.reason : error, reason)
    }
    const { model } = modelOf({
      failure: (rows) => (rows > 1 ? new RunnerUnavailable({ detail: "no" }) : undefined),
    })
    assert.instanceOf(await probeBatching(model, plain).catch((error: unknown) => error), RuntimeError)
  })
})
