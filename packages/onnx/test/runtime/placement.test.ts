import { assert, describe, it } from "@effect/vitest"
import type { Placement } from "@modelforge/core"
import { planOf } from "../../src/runtime/placement.ts"

const small = 1000
const large = 257 * 1024 * 1024

const plan = (placement: Placement, bytes: number, runners: number, cores = runners) => {
  const { instances, intraOpThreads } = planOf(placement, bytes, { runners, cores })
  return [instances, intraOpThreads]
}

describe("planOf", () => {
  it("gives a small model an instance on every runner, a large one all cores", () => {
    assert.deepStrictEqual(plan({}, small, 4), [4, 1])
    assert.deepStrictEqual(plan({}, 256 * 1024 * 1024, 4), [4, 1])
    assert.deepStrictEqual(plan({}, large, 4), [1, 4])
    assert.deepStrictEqual(plan({}, small, 2, 8), [2, 1])
    assert.deepStrictEqual(plan({}, small, 8, 2), [2, 1])
  })

  it("keeps what is given, and shares out what is left", () => {
    assert.deepStrictEqual(plan({ instances: 2 }, large, 8), [2, 4])
    assert.deepStrictEqual(plan({ intraOpThreads: 2 }, small, 8), [4, 2])
    assert.deepStrictEqual(plan({ intraOpThreads: 2 }, large, 8), [1, 2])
    assert.deepStrictEqual(plan({ instances: 3, intraOpThreads: 2 }, small, 8), [3, 2])
  })

  it("never asks for more than the machine has, nor for nothing", () => {
    for (let runners = 1; runners <= 9; runners++) {
      for (let cores = 1; cores <= 9; cores++) {
        for (const instances of [undefined, 0, 1, 2, 5, 100]) {
          for (const intraOpThreads of [undefined, 0, 1, 3, 100]) {
            for (const bytes of [small, large]) {
              const [copies = 0, threads = 0] = plan({ instances, intraOpThreads }, bytes, runners, cores)
              assert.isAtMost(copies, runners)
              assert.isAtLeast(copies, 1)
              assert.isAtLeast(threads, 1)
              assert.isTrue(copies * threads <= cores || threads === 1)
            }
          }
        }
      }
    }
  })
})
