import { assert, it } from "@effect/vitest"
import { WeightedSplit } from "../../src/traffic/WeightedSplit.ts"

type Weights = Readonly<Record<string, number>>

const splitOf = (weights: Weights, scope = "digits") => {
  const seats = Object.entries(weights).map(([name, weight]) => ({ name, weight, value: name }))
  const split = WeightedSplit.make(scope, seats)
  if (split === undefined) throw new Error("nothing has weight")
  return split
}

const keys = Array.from({ length: 20_000 }, (_, i) => `user-${i}@example.com`)
const seatsOf = (weights: Weights, scope?: string) => {
  const split = splitOf(weights, scope)
  return keys.map((key) => split.of(key))
}
const share = (seats: ReadonlyArray<string>, name: string) =>
  seats.filter((seat) => seat === name).length / seats.length

it("random requests are spread by weight, to the last", () => {
  const split = splitOf({ a: 70, b: 0, c: 25, d: 5 })
  const seats = Array.from({ length: 1000 }, (_, i) => split.at(i / 1000))
  assert.deepStrictEqual(
    ["a", "b", "c", "d"].map((name) => share(seats, name)),
    [0.7, 0, 0.25, 0.05],
  )
  assert.strictEqual(split.at(1 - 2 ** -53), "d")
})

it("keys are spread by weight, within chance", () => {
  for (const weights of [
    { a: 50, b: 50 },
    { a: 99, b: 1 },
    { "1": 70, "2": 20, canary: 10 },
  ] as ReadonlyArray<Weights>) {
    const seats = seatsOf(weights)
    for (const [name, weight] of Object.entries(weights))
      assert.approximately(share(seats, name), weight / 100, 0.015)
  }
})

it("a key goes to the same seat every time, whatever the order of the seats", () => {
  assert.deepStrictEqual(seatsOf({ a: 40, b: 60 }), seatsOf({ a: 40, b: 60 }))
  assert.deepStrictEqual(seatsOf({ b: 60, a: 40 }), seatsOf({ a: 40, b: 60 }))
  // Fixed: another release must not send everybody elsewhere.
  assert.deepStrictEqual(seatsOf({ "1": 50, "2": 50 }).slice(0, 8), ["2", "2", "1", "2", "1", "1", "2", "1"])
})

it("models are told apart", () => {
  const [digits, letters] = [seatsOf({ a: 50, b: 50 }, "digits"), seatsOf({ a: 50, b: 50 }, "letters")]
  const same = digits.filter((seat, i) => seat === letters[i]).length / keys.length
  assert.approximately(same, 0.5, 0.02)
})

it("nobody leaves a seat whose weight grows while no other's does", () => {
  const steps: ReadonlyArray<Weights> = [
    { a: 99, b: 1, c: 0 },
    { a: 90, b: 10, c: 0 },
    { a: 70, b: 30, c: 0 },
    { a: 5, b: 95, c: 0 },
    { a: 0, b: 100, c: 0 },
  ]
  let before = seatsOf(steps[0] ?? {})
  for (const weights of steps.slice(1)) {
    const after = seatsOf(weights)
    assert.isTrue(before.every((seat, i) => seat !== "b" || after[i] === "b"))
    before = after
  }
})

it("with more seats, too, those of the seat that grows stay, and only its new ones move", () => {
  const before = seatsOf({ a: 60, b: 10, c: 30 })
  const after = seatsOf({ a: 40, b: 30, c: 30 })
  assert.isTrue(before.every((seat, i) => seat !== "b" || after[i] === "b"))
  assert.isTrue(before.every((seat, i) => seat !== "c" || after[i] !== "a"))
})

it("when a seat goes, only its keys move", () => {
  const before = seatsOf({ a: 60, b: 10, c: 30 })
  // In proportion, up to rounding to whole numbers.
  const after = seatsOf({ a: 60 / 0.9, c: 30 / 0.9 })
  assert.isTrue(before.every((seat, i) => seat === "b" || seat === after[i]))
})

it("there is no split without weight", () => {
  assert.isUndefined(WeightedSplit.make("digits", []))
  assert.isUndefined(WeightedSplit.make("digits", [{ name: "a", weight: 0, value: 1 }]))
})
