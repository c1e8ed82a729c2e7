import { assert, describe, it } from "@effect/vitest"
import { random } from "../../../core/test/random.ts"
import { type Box, layoutGraph } from "../../src/graph/layoutGraph.ts"

type Lines = ReadonlyArray<readonly [number, number]>

const boxes = (count: number): ReadonlyArray<Box> =>
  Array.from({ length: count }, (_, index) => ({ width: 176, height: index % 2 === 0 ? 40 : 56 }))

const checked = (count: number, lines: Lines) => {
  const all = boxes(count)
  const layout = layoutGraph(all, lines)
  const at = all.map((box, index) => ({
    ...box,
    ...(layout.places[index] ?? { x: Number.NaN, y: Number.NaN }),
  }))
  for (const [index, left] of at.entries()) {
    assert.isTrue(Number.isInteger(left.x) && left.x >= 0 && left.x + left.width <= layout.width)
    assert.isTrue(Number.isInteger(left.y) && left.y >= 0 && left.y + left.height <= layout.height)
    const overlaps = at
      .slice(index + 1)
      .some(
        (right) =>
          left.x + left.width > right.x &&
          right.x + right.width > left.x &&
          left.y + left.height > right.y &&
          right.y + right.height > left.y,
      )
    assert.isFalse(overlaps, "boxes overlap")
  }
  for (const [index, [from, to]] of lines.entries()) {
    const [above, below] = [at[from], at[to]]
    if (above === undefined || below === undefined || from >= to) continue
    assert.isAtLeast(below.y, above.y + above.height, "a line leads upwards")
    const heights = [above.y, ...(layout.bends[index] ?? []).map(({ y }) => y), below.y]
    assert.deepStrictEqual(
      heights,
      [...new Set(heights)].sort((a, b) => a - b),
    )
  }
  return layout
}

describe("the layout", () => {
  it("of nothing is nothing", () => {
    assert.deepStrictEqual(layoutGraph([], []), { places: [], bends: [], width: 0, height: 0 })
  })

  it("puts a chain in one column", () => {
    const { places, width } = checked(4, [
      [0, 1],
      [1, 2],
      [2, 3],
    ])
    assert.deepStrictEqual([...new Set(places.map(({ x }) => x))], [0])
    assert.deepStrictEqual(
      places.map(({ y }) => y),
      [0, 74, 164, 238],
    )
    assert.strictEqual(width, 176)
  })

  it("leads a line round the boxes it passes", () => {
    const { places, bends } = checked(4, [
      [0, 1],
      [1, 2],
      [2, 3],
      [0, 3],
    ])
    const around = bends[3] ?? []
    assert.lengthOf(around, 2)
    for (const { x, y } of around) {
      const passed = places.slice(1, 3)
      assert.isTrue(
        passed.every((box) => x < box.x || x > box.x + 176 || y < box.y || y > box.y + 56),
        "the line runs through a box",
      )
    }
  })

  it("puts what nothing leads to right above what it leads to", () => {
    const { places } = checked(5, [
      [0, 2],
      [2, 3],
      [3, 4],
      [1, 4],
    ])
    assert.strictEqual(places[1]?.y, places[3]?.y)
  })

  it("survives lines that lead backwards, twice the same way, and to nowhere", () => {
    const { places } = checked(3, [
      [0, 1],
      [0, 1],
      [2, 0],
      [1, 1],
      [1, 9],
    ])
    assert.lengthOf(places, 3)
  })

  it("of any graph overlaps nowhere and leads downwards", () => {
    for (let seed = 0; seed < 30; seed++) {
      const { int } = random(seed)
      const count = 1 + int(60)
      const lines = Array.from({ length: int(3 * count) }, () => [int(count), int(count)] as const)
      checked(count, lines)
    }
  })

  it("gives up going round where there are very many long lines", () => {
    const count = 200
    const chain = Array.from({ length: count - 1 }, (_, index) => [index, index + 1] as const)
    const long = Array.from({ length: count / 2 }, (_, index) => [index, count - 1] as const)
    const { bends } = checked(count, [...chain, ...long])
    assert.isTrue(bends[chain.length]?.length !== 0)
    assert.deepStrictEqual(bends.at(-2), [])
  })
})
