import { assert, it } from "@effect/vitest"
import { quotaPeriod } from "../../src/access/quotaPeriod.ts"

const period = (length: "hour" | "day" | "month", at: string) => {
  const { startsAt, endsAt } = quotaPeriod(length, Date.parse(at))
  return [new Date(startsAt).toISOString(), new Date(endsAt).toISOString()]
}

it("hours, days and months are those of UTC, also at the ends of years and in leap years", () => {
  assert.deepStrictEqual(period("hour", "2026-12-31T23:59:59.999Z"), [
    "2026-12-31T23:00:00.000Z",
    "2027-01-01T00:00:00.000Z",
  ])
  assert.deepStrictEqual(period("day", "2026-12-31T23:59:59.999Z"), [
    "2026-12-31T00:00:00.000Z",
    "2027-01-01T00:00:00.000Z",
  ])
  assert.deepStrictEqual(period("month", "2026-12-31T23:59:59.999Z"), [
    "2026-12-01T00:00:00.000Z",
    "2027-01-01T00:00:00.000Z",
  ])
  assert.deepStrictEqual(period("month", "2028-02-29T12:00:00+14:00"), [
    "2028-02-01T00:00:00.000Z",
    "2028-03-01T00:00:00.000Z",
  ])
  assert.deepStrictEqual(period("day", "2026-03-29T01:30:00Z"), [
    "2026-03-29T00:00:00.000Z",
    "2026-03-30T00:00:00.000Z",
  ])
})

it("a time at the boundary belongs to what begins", () => {
  assert.deepStrictEqual(period("hour", "2026-01-01T00:00:00Z")[0], "2026-01-01T00:00:00.000Z")
})
