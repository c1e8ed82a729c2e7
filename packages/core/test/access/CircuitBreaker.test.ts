import { assert, it } from "@effect/vitest"
import { CircuitBreaker } from "../../src/access/CircuitBreaker.ts"

it("after a failure one call in a while may try, ever less often up to ten seconds; a success ends it", () => {
  let now = 0
  const breaker = new CircuitBreaker(() => now)
  assert.isTrue(breaker.admits)
  assert.isTrue(breaker.failed())
  for (const seconds of [1, 2, 4, 8, 10, 10]) {
    now += seconds * 1000 - 1
    assert.isFalse(breaker.admits)
    now++
    assert.isTrue(breaker.admits)
    assert.isFalse(breaker.admits, "only one tries")
    assert.isFalse(breaker.failed())
  }
  now += 10_000
  assert.isTrue(breaker.admits)
  breaker.succeeded()
  assert.isTrue(breaker.admits)
  assert.isTrue(breaker.admits)
  assert.isTrue(breaker.failed())
  now += 1000
  assert.isTrue(breaker.admits)
})
