import { assert, it } from "@effect/vitest"
import { DateTime } from "effect"
import { refusedByExpectation, revisionOf } from "../../src/registry/Expectation.ts"

it("equal states have one revision, whatever the order of their members", () => {
  const at = DateTime.makeUnsafe("2026-01-02T03:04:05.678Z")
  const a = { name: "x", labels: { b: "1", a: "2" }, list: [1, 2], at }
  const b = { at, list: [1, 2], labels: { a: "2", b: "1" }, name: "x" }
  assert.strictEqual(revisionOf(a), revisionOf(b))
  assert.match(revisionOf(a), /^[\w-]{22}$/)
})

it("any difference is another revision", () => {
  const states = [
    { a: 1 },
    { a: "1" },
    { a: [1] },
    { a: null },
    { a: [1, 2] },
    { a: [2, 1] },
    { b: 1 },
    {},
    { a: DateTime.makeUnsafe("2026-01-02T03:04:05.678Z") },
    { a: DateTime.makeUnsafe("2026-01-02T03:04:05.679Z") },
  ]
  assert.strictEqual(new Set(states.map(revisionOf)).size, states.length)
})

it("says in words what is there and was not expected", () => {
  const message = (...args: Parameters<typeof refusedByExpectation>) => refusedByExpectation(...args)?.message
  assert.isUndefined(message(undefined, "model", {}))
  assert.isUndefined(message("absent", "model", null))
  assert.isUndefined(message("present", "model", {}))
  assert.isUndefined(message([revisionOf({})], "model", {}))
  assert.match(message([], "model", {}) ?? "", /changed since it was read/)
  assert.match(message("absent", "model", {}) ?? "", /only if there is none/)
  assert.match(message("present", "model", null) ?? "", /There is no model/)
})
