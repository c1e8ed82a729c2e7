import { afterEach, assert, beforeEach, describe, it, vi } from "@effect/vitest"
import { Effect, Result } from "effect"
import { ForgeConfig, type Settings } from "../../src/ForgeConfig.ts"
import { Admission, type Permit } from "../../src/inference/Admission.ts"
import type { Overloaded } from "../../src/inference/InferenceError.ts"

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance"] })
})
afterEach(() => {
  vi.useRealTimers()
})

const open = (settings: Partial<Settings>) =>
  Effect.runSync(Effect.provide(Admission, Admission.layer).pipe(Effect.provide(ForgeConfig.layer(settings))))

const admitted = (result: ReturnType<Admission["Service"]["reserve"]>): Permit => Result.getOrThrow(result)

const refused = (result: ReturnType<Admission["Service"]["reserve"]>): Overloaded => {
  assert.isTrue(Result.isFailure(result), "it was admitted")
  const { reason } = Result.isFailure(result) ? result.failure : assert.fail()
  assert.strictEqual(reason._tag, "Overloaded")
  return reason._tag === "Overloaded" ? reason : assert.fail()
}

describe("places", () => {
  it("of one model are limited by count; others have theirs", () => {
    const { reserve } = open({ maxModelRequests: 2 })
    const first = admitted(reserve("a", 0))
    admitted(reserve("a", 0))
    assert.strictEqual(
      refused(reserve("a", 0)).message,
      '2 requests of model "a" are under way, no more may wait',
    )
    admitted(reserve("b", 0))
    first.release()
    admitted(reserve("a", 0))
    refused(reserve("a", 0))
  })

  it("are refused with the same error as long as the same is to be said", () => {
    const { reserve } = open({ maxModelRequests: 1, maxModelRequestBytes: 100 })
    const first = admitted(reserve("a", 10))
    const [one, other] = [refused(reserve("a", 0)), refused(reserve("a", 0))]
    assert.strictEqual(one, other)
    assert.notStrictEqual(refused(reserve("a", 0, { maxDepth: 2, maxBytes: 5 })), one)
    assert.deepStrictEqual({ ...refused(reserve("a", 0)) }, { ...one })
    vi.advanceTimersByTime(30_000)
    first.release()
    admitted(reserve("a", 10))
    assert.isAbove(refused(reserve("a", 0)).retryAfterSeconds, one.retryAfterSeconds)
  })

  it("of one model are limited by bytes", () => {
    const { reserve } = open({ maxModelRequestBytes: 100 })
    const first = admitted(reserve("a", 60))
    admitted(reserve("a", 40))
    assert.strictEqual(
      refused(reserve("a", 1)).message,
      'The requests of model "a" under way are too large to take another',
    )
    admitted(reserve("b", 100))
    first.release()
    admitted(reserve("a", 60))
  })

  it("of all models are limited by count and by bytes", () => {
    const { reserve } = open({ maxRequests: 2, maxRequestsBytes: 100 })
    const first = admitted(reserve("a", 90))
    assert.strictEqual(
      refused(reserve("b", 11)).message,
      "The requests under way are too large to take another",
    )
    admitted(reserve("b", 10))
    assert.strictEqual(refused(reserve("c", 0)).message, "2 requests are under way, no more may wait")
    first.release()
    admitted(reserve("c", 90))
  })

  it("are there for a request larger than all limits of bytes, when nothing else is under way", () => {
    const { reserve } = open({ maxModelRequestBytes: 10, maxRequestsBytes: 10 })
    const large = admitted(reserve("a", 1000))
    refused(reserve("a", 1))
    refused(reserve("b", 1))
    large.release()
    admitted(reserve("b", 1))
  })

  it("a refusal takes none", () => {
    const { reserve } = open({ maxModelRequests: 5, maxRequests: 1 })
    const only = admitted(reserve("a", 0))
    for (let times = 0; times < 10; times++) refused(reserve("b", 0))
    only.release()
    admitted(reserve("b", 0)).release()
  })

  it("released twice are free once", () => {
    const { reserve } = open({ maxModelRequests: 2 })
    const first = admitted(reserve("a", 0))
    admitted(reserve("a", 0))
    first.release()
    first.release()
    admitted(reserve("a", 0))
    refused(reserve("a", 0))
  })
})

describe("what an operator said of the model", () => {
  it("counts instead of what the server says of one model, more or less", () => {
    const { reserve } = open({ maxModelRequests: 2, maxModelRequestBytes: 100, maxRequests: 4 })
    const queue = { maxDepth: 3, maxBytes: 200 }
    const grown = admitted(reserve("a", 150, queue))
    admitted(reserve("a", 0, queue))
    admitted(reserve("a", 0, queue))
    assert.match(refused(reserve("a", 0, queue)).message, /^3 requests of model "a" are under way/)
    assert.isTrue(Result.isSuccess(grown.grow(50)))
    assert.isTrue(Result.isFailure(grown.grow(1)))
    admitted(reserve("b", 0, { maxDepth: 1 }))
    // What all have together stays the limit of all.
    assert.match(refused(reserve("c", 0, queue)).message, /^4 requests are under way/)
  })
})

describe("a place that grows", () => {
  const tooLarge = (permit: Permit, bytes: number) => {
    const grown = permit.grow(bytes)
    return Result.isFailure(grown) ? grown.failure.message : assert.fail("it grew")
  }

  it("takes bytes that others then do not have, and gives them all back", () => {
    const { reserve } = open({ maxModelRequestBytes: 100 })
    const growing = admitted(reserve("a", 10))
    const other = admitted(reserve("a", 10))
    assert.isTrue(Result.isSuccess(growing.grow(80)))
    assert.strictEqual(
      tooLarge(growing, 1),
      'The requests of model "a" under way are too large to take another',
    )
    refused(reserve("a", 1))
    growing.release()
    admitted(reserve("a", 90)).release()
    other.release()
    admitted(reserve("a", 100))
  })

  it("is limited by what all models have, too", () => {
    const { reserve } = open({ maxRequestsBytes: 100 })
    const growing = admitted(reserve("a", 10))
    admitted(reserve("b", 90))
    assert.strictEqual(tooLarge(growing, 1), "The requests under way are too large to take another")
  })

  it("may have any number when nothing else is under way", () => {
    const { reserve } = open({ maxModelRequestBytes: 10, maxRequestsBytes: 10 })
    const alone = admitted(reserve("a", 10))
    assert.isTrue(Result.isSuccess(alone.grow(1000)))
    refused(reserve("a", 0))
    alone.release()
    admitted(reserve("a", 10))
  })

  it("takes nothing once it was released", () => {
    const { reserve } = open({ maxModelRequestBytes: 10 })
    const gone = admitted(reserve("a", 5))
    gone.release()
    gone.grow(1000)
    admitted(reserve("a", 5))
    admitted(reserve("a", 5))
  })
})

describe("the time to come back", () => {
  /** Keeps `places` taken and answers `perSecond` of them each second, for so many seconds. */
  const serve = (
    reserve: Admission["Service"]["reserve"],
    places: number,
    perSecond: number,
    seconds: number,
  ) => {
    const permits: Array<Permit> = []
    const fill = () => {
      while (permits.length < places) permits.push(admitted(reserve("a", 0)))
    }
    fill()
    for (let answer = 0; answer < perSecond * seconds; answer++) {
      vi.advanceTimersByTime(1000 / perSecond)
      permits.shift()?.release()
      fill()
    }
    return permits
  }

  const secondsFor = (reserve: Admission["Service"]["reserve"]) => refused(reserve("a", 0)).retryAfterSeconds

  it("is what lies ahead, at the rate of the last seconds", () => {
    const { reserve } = open({ maxModelRequests: 100 })
    serve(reserve, 100, 10, 20)
    assert.approximately(secondsFor(reserve), 10, 1)
  })

  it("is right after the first answers, and follows the rate", () => {
    const { reserve } = open({ maxModelRequests: 100 })
    serve(reserve, 100, 20, 0.5)
    assert.approximately(secondsFor(reserve), 5, 1)
  })

  it("follows when answers come faster", () => {
    const { reserve } = open({ maxModelRequests: 100 })
    const permits = serve(reserve, 100, 10, 20)
    for (const permit of permits) permit.release()
    serve(reserve, 100, 50, 20)
    assert.approximately(secondsFor(reserve), 2, 1)
  })

  it("grows while no answers come", () => {
    const { reserve } = open({ maxModelRequests: 100 })
    serve(reserve, 100, 100, 10)
    assert.isAtMost(secondsFor(reserve), 2)
    vi.advanceTimersByTime(4000)
    const after4 = secondsFor(reserve)
    assert.isAbove(after4, 2)
    vi.advanceTimersByTime(6000)
    assert.isAbove(secondsFor(reserve), after4)
    vi.advanceTimersByTime(600_000)
    assert.strictEqual(secondsFor(reserve), 60)
  })

  it("does not grow with time in which nobody asked", () => {
    const { reserve } = open({ maxModelRequests: 100 })
    for (const permit of serve(reserve, 100, 100, 10)) permit.release()
    vi.advanceTimersByTime(3_600_000)
    for (let place = 0; place < 100; place++) admitted(reserve("a", 0))
    assert.isAtMost(secondsFor(reserve), 2)
  })

  it("is from 1 to 60 seconds, also before there is any answer to tell from", () => {
    const { reserve } = open({ maxModelRequests: 100 })
    for (let place = 0; place < 100; place++) admitted(reserve("a", 0))
    assert.strictEqual(secondsFor(reserve), 1)
    vi.advanceTimersByTime(600_000)
    assert.approximately(secondsFor(reserve), 3, 1)
  })

  it("is that of all models when it is they who fill the places", () => {
    const { reserve } = open({ maxRequests: 100 })
    serve(reserve, 100, 10, 20)
    assert.approximately(refused(reserve("b", 0)).retryAfterSeconds, 10, 1)
  })
})
