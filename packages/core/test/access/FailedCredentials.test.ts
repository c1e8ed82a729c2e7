import { assert, it } from "@effect/vitest"
import { FailedCredentials, failedCredentialsLimit } from "../../src/access/FailedCredentials.ts"

const { requests, seconds } = failedCredentialsLimit

const flood = (failed: FailedCredentials, address: string, times: number) =>
  Array.from({ length: times }, () => failed.count(address)).filter((wait) => wait !== undefined)

it("an address that fails too often is told when to come back, and no other is", () => {
  let now = 0
  const failed = new FailedCredentials(() => now)
  assert.deepStrictEqual(flood(failed, "192.0.2.1", requests), [])
  const waits = flood(failed, "::ffff:192.0.2.1", 3)
  assert.strictEqual(waits.length, 3)
  for (const wait of waits) {
    assert.isAtLeast(wait, seconds)
    assert.isAtMost(wait, seconds + 1)
  }
  assert.isUndefined(failed.count("192.0.2.2"))
  now += (seconds + 1) * 1000
  assert.isUndefined(failed.count("192.0.2.1"))
})

it("what is refused counts for nothing, so that it ends", () => {
  let now = 0
  const failed = new FailedCredentials(() => now)
  let answered = 0
  for (; now < 10 * seconds * 1000; now += 20) if (failed.count("192.0.2.1") === undefined) answered++
  assert.isAtLeast(answered, 9 * requests)
  assert.isAtMost(answered, 10 * requests)
})

it("remembers a bounded number of addresses", () => {
  const failed = new FailedCredentials(() => 0, 3)
  flood(failed, "192.0.2.1", requests)
  for (const last of [2, 3]) failed.count(`192.0.2.${last}`)
  assert.isDefined(failed.count("192.0.2.1"))
  failed.count("192.0.2.4")
  assert.isUndefined(failed.count("192.0.2.1"))
})
