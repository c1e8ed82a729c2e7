import { assert, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { MemoryBudget, type Tenant } from "../../src/inference/MemoryBudget.ts"

/** Leaves when a test lets it. */
class Guest implements Tenant {
  lastUsed: number
  canLeave = true
  told = 0
  readonly #leaves: (guest: Guest) => void
  constructor(lastUsed: number, leaves: (guest: Guest) => void = () => {}) {
    this.lastUsed = lastUsed
    this.#leaves = leaves
  }
  leave() {
    this.told++
    this.#leaves(this)
  }
}

const isWaiting = (fiber: Fiber.Fiber<unknown>) => fiber.pollUnsafe() === undefined

it.effect("admits what fits, and accounts for it until it has left", () =>
  Effect.gen(function* () {
    const budget = new MemoryBudget(100)
    const [a, b] = [new Guest(1), new Guest(2)]
    yield* budget.admit(a, 60)
    assert.isTrue(budget.tryAdmit(b, 40))
    assert.strictEqual(budget.used, 100)
    assert.isFalse(budget.tryAdmit(new Guest(3), 1))
    assert.strictEqual(a.told + b.told, 0)
    budget.left(a)
    assert.strictEqual(budget.used, 40)
    budget.left(a)
    assert.strictEqual(budget.used, 40)
  }),
)

it.effect("tells those to leave that were used longest ago, no more than it takes, and waits for them", () =>
  Effect.gen(function* () {
    const budget = new MemoryBudget(100)
    const guests = [3, 1, 2].map((lastUsed) => new Guest(lastUsed))
    for (const guest of guests) yield* budget.admit(guest, 30)
    const waiting = yield* Effect.forkChild(budget.admit(new Guest(4), 50))
    yield* Effect.yieldNow
    const [newest, oldest, middle] = guests as [Guest, Guest, Guest]
    assert.deepStrictEqual([newest.told, oldest.told, middle.told], [0, 1, 1])
    budget.left(oldest)
    yield* Effect.yieldNow
    assert.isTrue(isWaiting(waiting))
    budget.left(middle)
    yield* Fiber.join(waiting)
    assert.strictEqual(budget.used, 80)
    // They were told once.
    assert.deepStrictEqual([oldest.told, middle.told], [1, 1])
  }),
)

it.effect("waits for who can't leave yet", () =>
  Effect.gen(function* () {
    const budget = new MemoryBudget(100)
    const loading = new Guest(1)
    loading.canLeave = false
    yield* budget.admit(loading, 80)
    const waiting = yield* Effect.forkChild(budget.admit(new Guest(2), 50))
    yield* Effect.yieldNow
    assert.strictEqual(loading.told, 0)
    loading.canLeave = true
    budget.correct(loading, 70)
    yield* Effect.yieldNow
    assert.strictEqual(loading.told, 1)
    budget.left(loading)
    yield* Fiber.join(waiting)
    assert.strictEqual(budget.used, 50)
  }),
)

it.effect("serves those who wait in the order in which they came, however small the later ones are", () =>
  Effect.gen(function* () {
    const budget = new MemoryBudget(100)
    const first = new Guest(1)
    yield* budget.admit(first, 90)
    const large = yield* Effect.forkChild(budget.admit(new Guest(2), 95))
    yield* Effect.yieldNow
    const small = yield* Effect.forkChild(budget.admit(new Guest(3), 5))
    yield* Effect.yieldNow
    assert.isTrue(isWaiting(small))
    budget.left(first)
    yield* Fiber.join(large)
    yield* Fiber.join(small)
    assert.strictEqual(budget.used, 100)
  }),
)

it.effect("who gives up waiting is not in the way of others", () =>
  Effect.gen(function* () {
    const budget = new MemoryBudget(100)
    const first = new Guest(1)
    yield* budget.admit(first, 90)
    const givesUp = yield* Effect.forkChild(budget.admit(new Guest(2), 95))
    yield* Effect.yieldNow
    yield* Fiber.interrupt(givesUp)
    yield* budget.admit(new Guest(3), 10)
    assert.strictEqual(budget.used, 100)
  }),
)

it.effect("others make room for one that turns out larger than it was taken for, but not it itself", () =>
  Effect.gen(function* () {
    const budget = new MemoryBudget(100)
    const [old, grown] = [new Guest(2, (guest) => budget.left(guest)), new Guest(1)]
    yield* budget.admit(old, 40)
    yield* budget.admit(grown, 40)
    budget.correct(grown, 70)
    assert.deepStrictEqual([old.told, grown.told], [1, 0])
    assert.strictEqual(budget.used, 70)
    budget.correct(new Guest(3), 10)
    assert.strictEqual(budget.used, 70)
  }),
)

it.effect("a guest that leaves at once makes room at once", () =>
  Effect.gen(function* () {
    const budget = new MemoryBudget(100)
    const old = new Guest(1, (guest) => budget.left(guest))
    yield* budget.admit(old, 80)
    yield* budget.admit(new Guest(2), 80)
    assert.strictEqual(old.told, 1)
    assert.strictEqual(budget.used, 80)
  }),
)
