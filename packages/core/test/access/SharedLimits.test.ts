import { assert, describe, it } from "@effect/vitest"
import { CircuitBreaker } from "../../src/access/CircuitBreaker.ts"
import { type LimitClock, LimitCounter } from "../../src/access/LimitCounter.ts"
import {
  type Limits,
  leewayMs,
  type RateLimitAsk,
  type RateLimitGrant,
} from "../../src/access/RateLimitStore.ts"
import { type Decision, SharedLimits } from "../../src/access/SharedLimits.ts"
import { type Random, random } from "../random.ts"

/** Servers of one caller on one store, in a time of their own. */
class Cluster {
  now = 1_000_000
  readonly limits: Limits
  readonly clock: LimitClock = { elapsed: () => this.now, date: () => this.now }
  readonly servers: ReadonlyArray<SharedLimits>
  /** Asks that are on their way, in the order in which they were sent. */
  readonly pending: Array<() => void> = []
  asks = 0
  isAway = false
  /** Whether asks wait for `deliver`. */
  isSlow = false
  /** When requests were let through. */
  readonly allowed: Array<number> = []
  #store: LimitCounter

  constructor(servers: number, limits: Limits) {
    this.limits = limits
    this.#store = new LimitCounter(this.clock, 1)
    this.servers = Array.from({ length: servers }, () => {
      const breaker = new CircuitBreaker(() => this.now)
      const ask = (request: RateLimitAsk) => this.#ask(request, breaker)
      return new SharedLimits(
        { subject: "key:a", limits },
        new LimitCounter(this.clock),
        this.clock,
        ask,
        breaker,
      )
    })
  }

  /** The store has forgotten all, as after a crash. */
  forget(): void {
    this.#store = new LimitCounter(this.clock, 1)
  }

  get remaining(): number {
    return this.#store.remaining(this.limits)
  }

  #ask(ask: RateLimitAsk, breaker: CircuitBreaker): Promise<RateLimitGrant> {
    this.asks++
    return new Promise((resolve, reject) => {
      const arrive = () => {
        if (this.isAway) {
          breaker.failed()
          reject(new Error("away"))
        } else {
          breaker.succeeded()
          resolve(this.#grant(ask))
        }
      }
      if (this.isSlow) this.pending.push(arrive)
      else arrive()
    })
  }

  #grant({ wanted, unused }: RateLimitAsk): RateLimitGrant {
    const { limits } = this
    if (unused !== undefined) this.#store.takeBack(limits, unused.stamp, unused.requests)
    const granted = Math.min(wanted, this.#store.remaining(limits))
    this.#store.add(limits, granted)
    return { granted, stamp: this.now, rate: this.#store.rate(limits), quota: this.#store.quota(limits) }
  }

  /** One request at a server; its time is kept when it is let through. */
  async request(server: number): Promise<Decision> {
    const taken = this.servers[server]?.take()
    const decision = await taken
    if (decision === undefined) throw new Error("no such server")
    if (decision.isAllowed) this.allowed.push(this.now)
    return decision
  }

  /** Most requests that were let through in any stretch of the window. */
  densest(windowMs: number): number {
    const times = [...this.allowed].sort((a, b) => a - b)
    let most = 0
    for (let first = 0, after = 0; first < times.length; first++) {
      while (after < times.length && (times[after] ?? 0) - (times[first] ?? 0) < windowMs) after++
      most = Math.max(most, after - first)
    }
    return most
  }
}

/** Lets promises that are due go on. */
const settle = async () => {
  for (let turn = 0; turn < 8; turn++) await Promise.resolve()
}

const perMinute = (requests: number): Limits => ({ rate: { requests, seconds: 60 }, quota: null })

/** Requests at random times on random servers: bursts, steady load, pauses. */
const storm = async (cluster: Cluster, { int }: Random, requests: number) => {
  const answers: Array<Promise<Decision>> = []
  for (let request = 0; request < requests; request++) {
    if (int(200) === 0) cluster.now += int(60_000)
    else if (int(3) === 0) cluster.now += int(40)
    answers.push(cluster.request(int(cluster.servers.length)))
    if (int(4) === 0) cluster.pending.splice(0, 1 + int(3)).forEach((arrive) => arrive())
    // Requests are made when they are let through, not when somebody looks.
    if (!cluster.isSlow || int(5) === 0) await settle()
  }
  while (cluster.pending.length > 0) {
    cluster.pending.splice(0).forEach((arrive) => arrive())
    await settle()
  }
  return Promise.all(answers)
}

describe("together, servers let no more through than the limit", () => {
  it("in any stretch of the window, with the store's answers as fast as can be", async () => {
    for (let seed = 0; seed < 20; seed++) {
      const requests = 1 + random(seed).int(400)
      const cluster = new Cluster(1 + (seed % 5), perMinute(requests))
      await storm(cluster, random(seed), 3000)
      assert.isAtMost(cluster.densest(60_000), requests, `seed ${seed}`)
      assert.isAbove(cluster.allowed.length, 0)
    }
  })

  it("counted by when the store granted them, however slow its answers are", async () => {
    for (let seed = 0; seed < 20; seed++) {
      const cluster = new Cluster(4, { rate: null, quota: { requests: 500, period: "month" } })
      cluster.isSlow = true
      await storm(cluster, random(seed), 2000)
      assert.isAtMost(cluster.allowed.length, 500, `seed ${seed}`)
    }
  })

  it("and all of it where there are requests enough: little lies unused with one of them", async () => {
    for (const requests of [1, 10, 1000, 10_000]) {
      const cluster = new Cluster(3, perMinute(requests))
      for (let request = 0; request < 2 * requests + 10; request++) {
        cluster.now += 50 / requests
        await cluster.request(request % 3)
      }
      assert.isAtMost(cluster.allowed.length, requests)
      assert.isAtLeast(cluster.allowed.length, Math.floor(requests * 0.97), `of ${requests}`)
    }
  })
})

describe("the store", () => {
  it("is asked once for many requests of a large limit, and for each of a small one", async () => {
    const large = new Cluster(1, perMinute(100_000))
    for (let request = 0; request < 20_000; request++) await large.request(0)
    assert.isBelow(large.asks, 60)
    const small = new Cluster(1, perMinute(20))
    for (let request = 0; request < 20; request++) await small.request(0)
    assert.strictEqual(small.asks, 20)
  })

  it("is asked once for all requests that come while it is being asked", async () => {
    const cluster = new Cluster(1, perMinute(20))
    cluster.isSlow = true
    const answers = Array.from({ length: 30 }, () => cluster.request(0))
    assert.strictEqual(cluster.asks, 1)
    while (cluster.pending.length > 0) {
      cluster.pending.shift()?.()
      await settle()
    }
    const decisions = await Promise.all(answers)
    assert.strictEqual(decisions.filter(({ isAllowed }) => isAllowed).length, 20)
    assert.isAtMost(cluster.asks, 3)
  })

  it("is not asked again and again for a caller that is over its limit", async () => {
    const cluster = new Cluster(2, perMinute(10))
    for (let request = 0; request < 10; request++) await cluster.request(0)
    cluster.asks = 0
    for (let request = 0; request < 1000; request++) {
      const { isAllowed, allowance } = await cluster.request(1)
      assert.isFalse(isAllowed)
      assert.strictEqual(allowance.rate?.remaining, 0)
      assert.isAbove(allowance.rate?.resetMs ?? 0, 55_000)
    }
    assert.strictEqual(cluster.asks, 1)
    cluster.now += 62_000
    assert.isTrue((await cluster.request(1)).isAllowed)
  })

  it("gets back what was not used, at the next request or at the end", async () => {
    const limits: Limits = { rate: null, quota: { requests: 100_000, period: "month" } }
    const cluster = new Cluster(1, limits)
    for (let request = 0; request < 5000; request++) await cluster.request(0)
    assert.isBelow(cluster.remaining, 95_000)
    cluster.now += leewayMs(limits) + 1
    await cluster.request(0)
    await cluster.servers[0]?.close()
    assert.strictEqual(cluster.remaining, 100_000 - 5001)
    // There is nothing left to give back.
    await cluster.servers[0]?.close()
    assert.strictEqual(cluster.remaining, 100_000 - 5001)
  })

  it("says where the limit stands, for all servers together", async () => {
    const cluster = new Cluster(2, perMinute(10))
    for (let request = 0; request < 4; request++) await cluster.request(0)
    const { allowance } = await cluster.request(1)
    assert.strictEqual(allowance.rate?.remaining, 5)
  })
})

describe("while the store does not answer", () => {
  it("each server keeps to the limit by itself, and none lets everything through or fails", async () => {
    const cluster = new Cluster(3, perMinute(50))
    for (let request = 0; request < 10; request++) await cluster.request(0)
    cluster.isAway = true
    for (let request = 0; request < 300; request++) await cluster.request(request % 3)
    assert.isAtMost(cluster.densest(60_000), 3 * 50)
    // Of those that the first had let through before, it knows.
    assert.strictEqual(cluster.allowed.length, 3 * 50)
  })

  it("it is hardly asked, and asked again when it may be back", async () => {
    const cluster = new Cluster(1, perMinute(1000))
    cluster.isAway = true
    for (let request = 0; request < 500; request++) await cluster.request(0)
    assert.strictEqual(cluster.asks, 1)
    cluster.isAway = false
    cluster.now += 1001
    await cluster.request(0)
    assert.strictEqual(cluster.asks, 2)
    assert.isBelow(cluster.remaining, 1000)
  })

  it("requests that waited for it are decided here", async () => {
    const cluster = new Cluster(1, perMinute(5))
    cluster.isSlow = true
    const answers = Array.from({ length: 8 }, () => cluster.request(0))
    cluster.isAway = true
    cluster.pending.shift()?.()
    const decisions = await Promise.all(answers)
    assert.strictEqual(decisions.filter(({ isAllowed }) => isAllowed).length, 5)
  })

  it("and when it has forgotten all, no server lets more through than the limit by itself", async () => {
    for (let seed = 0; seed < 10; seed++) {
      const cluster = new Cluster(2, perMinute(100))
      const { int } = random(seed)
      for (let round = 0; round < 20; round++) {
        cluster.isAway = int(3) === 0
        if (int(3) === 0) cluster.forget()
        await storm(cluster, random(seed * 100 + round), 200)
      }
      assert.isAtMost(cluster.densest(60_000), 2 * 100, `seed ${seed}`)
    }
  })
})
