import { assert, it } from "@effect/vitest"
import { withoutStack } from "../../src/inference/withoutStack.ts"

it("makes errors that do not record where, and only those", () => {
  const error = withoutStack(() => new Error("no"))
  assert.strictEqual(error.stack, "Error: no")
  assert.include(new Error("yes").stack, "withoutStack.test.ts")
})

it("leaves things as they were when making fails", () => {
  assert.throws(() =>
    withoutStack(() => {
      throw new Error("no")
    }),
  )
  assert.include(new Error("yes").stack, "withoutStack.test.ts")
})
