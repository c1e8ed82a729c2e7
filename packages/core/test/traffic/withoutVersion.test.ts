import { assert, it } from "@effect/vitest"
import { AliasName } from "../../src/model/Names.ts"
import type { TrafficPolicy, VersionRef } from "../../src/model/TrafficPolicy.ts"
import { VersionNumber } from "../../src/model/Version.ts"
import { baselineOf, withoutVersion } from "../../src/traffic/withoutVersion.ts"

const v = (version: number) => VersionNumber.make(version)
const ref = (version: number | string): VersionRef =>
  typeof version === "number" ? v(version) : AliasName.make(version)
const policy = (...split: ReadonlyArray<readonly [number | string, number]>): TrafficPolicy => ({
  split: split.map(([version, weight]) => ({ version: ref(version), weight })),
  sticky: "header:x-user",
})
const aliases = { [AliasName.make("production")]: v(3), [AliasName.make("canary")]: v(4) }

it("the weight of a version goes to the others in proportion, and the rest stays as it was", () => {
  assert.deepStrictEqual(
    withoutVersion(policy([1, 60], [2, 10], [5, 30]), aliases, v(2)),
    policy([1, 67], [5, 33]),
  )
  assert.deepStrictEqual(
    withoutVersion(policy(["production", 90], ["canary", 10]), aliases, v(4)),
    policy(["production", 100]),
  )
  // By number and by alias.
  assert.deepStrictEqual(
    withoutVersion(policy(["production", 50], ["canary", 30], [4, 20]), aliases, v(4)),
    policy(["production", 100]),
  )
})

it("where the others had none, the first has all", () => {
  assert.deepStrictEqual(
    withoutVersion(policy([1, 0], [2, 100], [3, 0]), aliases, v(2)),
    policy([1, 100], [3, 0]),
  )
})

it("where there are no others, there is nothing to go to", () => {
  assert.isUndefined(withoutVersion(policy(["canary", 100]), aliases, v(4)))
})

it("weights sum to 100 whatever they were", () => {
  for (let a = 0; a <= 100; a++)
    for (let b = 0; a + b <= 100; b += 3) {
      const left = withoutVersion(policy([1, a], [2, b], [5, 100 - a - b]), {}, v(5))
      const weights = left?.split.map(({ weight }) => weight) ?? []
      assert.strictEqual(
        weights.reduce((sum, weight) => sum + weight, 0),
        100,
      )
      assert.isTrue(weights.every(Number.isInteger))
      if (a > b) assert.isAtLeast(weights[0] ?? 0, weights[1] ?? 0)
    }
})

it("others are measured against production, else against the oldest", () => {
  assert.strictEqual(baselineOf(policy([1, 10], [3, 90]), aliases), v(3))
  assert.strictEqual(baselineOf(policy([1, 10], ["production", 90]), aliases), v(3))
  assert.strictEqual(baselineOf(policy([2, 10], [1, 90]), aliases), v(1))
  assert.strictEqual(baselineOf(policy(["canary", 10], [7, 90]), {}), v(7))
})
