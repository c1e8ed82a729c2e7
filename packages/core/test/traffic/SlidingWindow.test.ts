import { assert, it } from "@effect/vitest"
import { SlidingWindow } from "../../src/traffic/SlidingWindow.ts"

it("counts requests, errors and slow answers", () => {
  const window = new SlidingWindow(1000)
  window.add(0, false, false)
  window.add(10, true, false)
  assert.deepStrictEqual({ ...window.add(999, false, true) }, { requests: 3, errors: 1, slow: 1 })
})

it("forgets what is older than the window, a twentieth at a time", () => {
  const window = new SlidingWindow(1000)
  window.add(5000, true, true)
  window.add(5500, true, false)
  assert.strictEqual(window.add(5999, false, false).errors, 2)
  assert.deepStrictEqual({ ...window.add(6000, false, false) }, { requests: 3, errors: 1, slow: 0 })
  assert.strictEqual(window.add(6499, false, false).errors, 1)
  assert.strictEqual(window.add(6500, false, false).errors, 0)
  assert.deepStrictEqual({ ...window.add(1e9, false, false) }, { requests: 1, errors: 0, slow: 0 })
})

it("holds what a list of everything would, at random times", () => {
  let state = 42
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
  const window = new SlidingWindow(2000)
  const all: Array<{ at: number; isError: boolean }> = []
  let now = 1_700_000_000_000
  for (let i = 0; i < 5000; i++) {
    now += random() < 0.01 ? Math.floor(random() * 5000) : Math.floor(random() * 30)
    const isError = random() < 0.3
    all.push({ at: now, isError })
    const { requests, errors } = window.add(now, isError, false)
    const first = (Math.floor(now / 100) - 19) * 100
    const held = all.filter(({ at }) => at >= first)
    assert.deepStrictEqual([requests, errors], [held.length, held.filter((one) => one.isError).length])
  }
})

it("a clock that was put back loses nothing", () => {
  const window = new SlidingWindow(1000)
  window.add(5000, true, false)
  assert.deepStrictEqual({ ...window.add(4000, true, false) }, { requests: 2, errors: 2, slow: 0 })
})
