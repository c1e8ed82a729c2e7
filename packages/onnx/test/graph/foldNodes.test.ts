import { assert, describe, it } from "@effect/vitest"
import { random } from "../../../core/test/random.ts"
import { foldAbove, foldNodes, type Run } from "../../src/graph/foldNodes.ts"

const fold = (operators: ReadonlyArray<string>, crossing: ReadonlyArray<number> = operators.map(() => 1)) =>
  foldNodes({ operators, crossing })

/** Every node is in exactly one run, in order. */
const covers = (runs: ReadonlyArray<Run>, count: number) => {
  let at = 0
  for (const { start, end } of runs) {
    assert.strictEqual(start, at)
    assert.isAbove(end, start)
    at = end
  }
  assert.strictEqual(at, count)
}

const lengths = (runs: ReadonlyArray<Run>) => runs.map(({ start, end }) => end - start)
const block = [
  "MatMul",
  "Add",
  "Softmax",
  "MatMul",
  "Mul",
  "Add",
  "LayerNormalization",
  "Gelu",
  "Gemm",
  "Add",
]
const repeat = (times: number, of = block) => Array.from({ length: times }, () => of).flat()

describe("folding", () => {
  it("leaves a small graph as it is", () => {
    const operators = repeat(foldAbove / block.length)
    const runs = fold(operators)
    assert.lengthOf(runs, foldAbove)
    covers(runs, foldAbove)
    assert.deepStrictEqual(fold([]), [])
  })

  it("makes a group of every repetition, and leaves what does not repeat", () => {
    const head = ["Gather", "Cast", "Slice"]
    const tail = ["ReduceMean", "Tanh", "Shape"]
    const operators = [...head, ...repeat(40), ...tail]
    const crossing = operators.map((_, at) => ((at - head.length) % block.length === 0 ? 1 : 3))
    const runs = fold(operators, crossing)
    covers(runs, operators.length)
    assert.deepStrictEqual(lengths(runs), [1, 1, 1, ...Array(40).fill(block.length), 1, 1, 1])
  })

  it("cuts repetitions where the fewest tensors cross, wherever the repetition begins", () => {
    const operators = repeat(40)
    const crossing = operators.map((_, at) => (at % block.length === 4 ? 1 : 2))
    const runs = fold(operators, crossing)
    covers(runs, operators.length)
    const groups = runs.filter(({ start, end }) => end - start > 1)
    assert.isTrue(groups.every(({ start }) => start % block.length === 4))
    assert.isAtLeast(groups.length, 38)
  })

  it("finds several blocks one after the other", () => {
    const other = ["Conv", "Relu", "Conv", "Relu", "Conv", "Add", "Relu"]
    const operators = [...repeat(20), ...repeat(60, other)]
    const runs = fold(operators)
    covers(runs, operators.length)
    assert.isAbove(lengths(runs).filter((length) => length === block.length).length, 17)
    assert.isBelow(runs.length, 90)
  })

  it("joins neighbours where nothing repeats, cut where the fewest tensors cross", () => {
    const operators = Array.from({ length: 1000 }, (_, at) => `Op${at}`)
    const crossing = operators.map((_, at) => (at % 12 === 7 ? 1 : 5))
    const runs = fold(operators, crossing)
    covers(runs, 1000)
    assert.isBelow(runs.length, foldAbove)
    assert.isTrue(runs.slice(1).every(({ start }) => start % 12 === 7))
  })

  it("joins repetitions when there are too many of them", () => {
    const runs = fold(repeat(3000))
    covers(runs, 30_000)
    assert.isBelow(runs.length, foldAbove)
    assert.isAbove(runs.length, 50)
    assert.isTrue(lengths(runs).every((length) => length % block.length === 0 || length < 1000))
  })

  it("of anything covers every node once, with few boxes", () => {
    for (let seed = 0; seed < 30; seed++) {
      const { int } = random(seed)
      const kinds = 1 + int(6)
      const operators = Array.from({ length: int(3000) }, () => `Op${int(kinds)}`)
      const runs = fold(
        operators,
        operators.map(() => int(9)),
      )
      covers(runs, operators.length)
      assert.isAtMost(runs.length, foldAbove, `seed ${seed}`)
    }
  })
})
