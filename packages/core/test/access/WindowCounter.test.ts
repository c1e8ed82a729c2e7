import { assert, describe, it } from "@effect/vitest"
import { WindowCounter } from "../../src/access/WindowCounter.ts"
import { random } from "../random.ts"

const windowMs = 60_000
const bucketMs = windowMs / 64

/** Lets requests through while the window has fewer than the limit; gives the times of those. */
const letThrough = (arrivals: ReadonlyArray<number>, limit: number, length = windowMs) => {
  const counter = new WindowCounter(length)
  return arrivals.filter((now) => {
    if (counter.total(now) >= limit) return false
    counter.add(now, 1)
    return true
  })
}

describe("of any requests", () => {
  const seeds = Array.from({ length: 100 }, (_, seed) => seed)

  /** Bursts and pauses of any length, from any time on. */
  const arrivals = (seed: number): ReadonlyArray<number> => {
    const { int } = random(seed)
    let now = int(1_000_000) + int(1000) / 1000
    return Array.from({ length: 400 }, () => {
      now += int(4) === 0 ? 1 + int(2 * windowMs) : int(10) === 0 ? 1 + int(5000) : (1 + int(200)) / 100
      return now
    })
  }

  it("no stretch as long as the window has more than the limit, wherever it begins", () => {
    for (const seed of seeds) {
      const limit = 1 + random(seed).int(40)
      const times = letThrough(arrivals(seed), limit)
      for (let index = 0; index + limit < times.length; index++)
        assert.isAbove((times[index + limit] ?? 0) - (times[index] ?? 0), windowMs, `seed ${seed}`)
    }
  })

  it("one that is refused would have been one too many within the window and a 64th", () => {
    for (const seed of seeds) {
      const limit = 1 + random(seed).int(40)
      const all = arrivals(seed)
      const times = new Set(letThrough(all, limit))
      for (const now of all) {
        if (times.has(now)) continue
        const before = [...times].filter((time) => time <= now && time > now - windowMs - bucketMs).length
        assert.isAtLeast(before, limit, `seed ${seed}`)
      }
    }
  })

  it("it says when there will be fewer", () => {
    for (const seed of seeds) {
      const counter = new WindowCounter(windowMs)
      const some = arrivals(seed).slice(0, 1 + random(seed).int(399))
      for (const now of some) counter.add(now, 1)
      const now = some.at(-1) ?? 0
      const total = counter.total(now)
      const then = now + counter.untilFewer(now)
      assert.strictEqual(counter.total(then - 0.001), total, `seed ${seed}`)
      assert.isBelow(counter.total(then), total, `seed ${seed}`)
    }
  })
})

it("after a pause as long as the window and a 64th, all of it may be had again", () => {
  const burst = (start: number) => Array.from({ length: 20 }, (_, index) => start + index / 100)
  const times = letThrough([...burst(12_345), ...burst(12_345 + windowMs + bucketMs)], 10)
  assert.strictEqual(times.length, 20)
})

it("nothing is counted of what is too old, however long ago", () => {
  const counter = new WindowCounter(1000)
  counter.add(5000, 7)
  assert.strictEqual(counter.total(5999), 7)
  assert.strictEqual(counter.total(6020), 0)
  assert.strictEqual(counter.untilFewer(6020), 0)
  counter.add(6020, 3)
  assert.strictEqual(counter.total(1e12), 0)
})

it("what is taken back was counted, and still is", () => {
  const counter = new WindowCounter(1000)
  counter.add(5000, 7)
  counter.add(5500, 2)
  counter.takeBack(5600, 5000, 3)
  assert.strictEqual(counter.total(5600), 6)
  counter.takeBack(5600, 5000, 100)
  assert.strictEqual(counter.total(5600), 2)
  counter.takeBack(5600, 1000, 1)
  counter.takeBack(5600, 4000, 1)
  assert.strictEqual(counter.total(5600), 2)
})

it("a leeway makes the window longer", () => {
  const counter = new WindowCounter(64_000, 1)
  counter.add(0, 1)
  assert.strictEqual(counter.total(65_999), 1)
  assert.strictEqual(counter.total(66_000), 0)
})
