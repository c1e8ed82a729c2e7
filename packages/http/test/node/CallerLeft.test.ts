import { assert, it } from "@effect/vitest"
import { CallerLeft } from "../../src/node/CallerLeft.ts"

it("tells who still listens that the caller left, once", () => {
  const caller = new CallerLeft()
  const told: Array<string> = []
  const first = () => told.push("first")
  const second = () => told.push("second")
  caller.addEventListener("abort", first)
  caller.addEventListener("abort", second)
  caller.removeEventListener("abort", first)
  caller.removeEventListener("abort", first)
  assert.isFalse(caller.aborted)
  caller.throwIfAborted()
  caller.abort()
  const { reason } = caller
  caller.abort()
  assert.deepStrictEqual([told, caller.aborted], [["second"], true])
  assert.strictEqual(caller.reason, reason)
  assert.throws(() => caller.throwIfAborted(), /went away/)
})

it("is told to all, also where one of them stops listening meanwhile", () => {
  const caller = new CallerLeft()
  const told: Array<number> = []
  const last = () => told.push(2)
  caller.addEventListener("abort", () => {
    told.push(1)
    caller.removeEventListener("abort", last)
  })
  caller.addEventListener("abort", last)
  caller.abort()
  assert.deepStrictEqual(told, [1, 2])
})
