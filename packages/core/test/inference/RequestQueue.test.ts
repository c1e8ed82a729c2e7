import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { type Queued, RequestQueue } from "../../src/inference/RequestQueue.ts"

class Item implements Queued<Item> {
  readonly id: number
  readonly rows: number
  readonly joinKey: string | undefined
  readonly priority: number
  lane: Queued<Item>["lane"] = undefined
  previous: Item | undefined = undefined
  next: Item | undefined = undefined
  constructor(id: number, rows = 1, joinKey: string | null = "k", priority = 0) {
    this.id = id
    this.rows = rows
    this.joinKey = joinKey ?? undefined
    this.priority = priority
  }
}

const queueOf = (...items: ReadonlyArray<Item>) => {
  const queue = new RequestQueue<Item>()
  for (const item of items) queue.push(item)
  return queue
}

const ids = (items: ReadonlyArray<Item>) => items.map(({ id }) => id)

const drain = (queue: RequestQueue<Item>, maxRows: number) => {
  const runs: Array<ReadonlyArray<number>> = []
  while (queue.first() !== undefined) runs.push(ids(queue.take(maxRows)))
  return runs
}

describe("take", () => {
  it("gives nothing when nothing waits", () => {
    const queue = queueOf()
    assert.deepStrictEqual(queue.take(8), [])
    assert.strictEqual(queue.joinable(8), 0)
  })

  it("counts in rows, passes over what does not fit, and never out of turn for the first", () => {
    const queue = queueOf(new Item(1, 3), new Item(2, 2), new Item(3, 1), new Item(4, 1))
    assert.deepStrictEqual(drain(queue, 4), [
      [1, 3],
      [2, 4],
    ])
  })

  it("a request larger than a run goes alone", () => {
    const queue = queueOf(new Item(1, 9), new Item(2), new Item(3, 9), new Item(4))
    assert.deepStrictEqual(drain(queue, 4), [[1], [2, 4], [3]])
  })

  it("requests of another key don't join, and one without a key joins nobody", () => {
    const queue = queueOf(
      new Item(1, 1, "a"),
      new Item(2, 1, "b"),
      new Item(3, 1, null),
      new Item(4, 1, null),
      new Item(5, 1, "a"),
    )
    assert.deepStrictEqual(drain(queue, 8), [[1, 5], [2], [3], [4]])
  })

  it("the most urgent go first, and fill up with others", () => {
    const queue = queueOf(
      new Item(1, 1, "k", 5),
      new Item(2, 1, "k", -1),
      new Item(3, 1, "k", 0),
      new Item(4, 1, "k", -1),
    )
    assert.strictEqual(queue.joinable(3), 3)
    assert.deepStrictEqual(drain(queue, 3), [[2, 4, 3], [1]])
  })

  it("looks for company only so far, so that a long queue of other shapes costs no more", () => {
    const queue = queueOf(new Item(-1, 1, "a"))
    for (let id = 0; id < 1022; id++) queue.push(new Item(id, 1, "b"))
    queue.push(new Item(2000, 1, "a"))
    queue.push(new Item(2001, 1, "a"))
    assert.deepStrictEqual(ids(queue.take(8)), [-1, 2000])
  })

  it("requests without rows don't keep a run from ending", () => {
    const queue = queueOf(new Item(1, 0), new Item(2, 0), new Item(3, 2), new Item(4, 0))
    assert.deepStrictEqual(drain(queue, 2), [[1, 2, 3], [4]])
  })
})

describe("remove", () => {
  it("is for what waits, here", () => {
    const [a, b] = [new Item(1), new Item(2)]
    const queue = queueOf(a)
    const other = queueOf(b)
    queue.remove(b)
    queue.take(1)
    queue.remove(a)
    queue.remove(new Item(3))
    assert.strictEqual(queue.first(), undefined)
    assert.strictEqual(other.first(), b)
  })

  it("leaves nothing behind that holds a request that left", () => {
    const items = Array.from({ length: 100_000 }, (_, id) => new Item(id, 1, "k", id % 100))
    const queue = queueOf(...items.slice(0, 1))
    for (const item of items.slice(1)) queue.push(item)
    for (const item of items.slice(1)) queue.remove(item)
    assert.isTrue(items.every(({ previous, next }) => previous === undefined && next === undefined))
    assert.deepStrictEqual(drain(queue, 8), [[0]])
  })
})

it("whatever is pushed, taken and removed, each request comes out once, in order of its lane", () => {
  const command = fc.oneof(
    fc.record({ do: fc.constant("push" as const), rows: fc.nat(4), key: fc.nat(2), priority: fc.nat(2) }),
    fc.record({ do: fc.constant("take" as const), maxRows: fc.integer({ min: 1, max: 5 }) }),
    fc.record({ do: fc.constant("remove" as const), at: fc.nat(20) }),
  )
  fc.assert(
    fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
      const queue = new RequestQueue<Item>()
      // What waits, in the order in which it is to be served.
      let waiting: Array<Item> = []
      let pushed = 0
      for (const it of commands) {
        if (it.do === "push") {
          const item = new Item(pushed++, it.rows, it.key === 0 ? null : `k${it.key}`, it.priority)
          queue.push(item)
          waiting.push(item)
          waiting.sort((a, b) => a.priority - b.priority || a.id - b.id)
        } else if (it.do === "remove") {
          const item = waiting[it.at]
          if (item === undefined) continue
          queue.remove(item)
          waiting = waiting.filter((other) => other !== item)
        } else {
          const joinable = queue.joinable(it.maxRows)
          const taken = queue.take(it.maxRows)
          const rows = taken.reduce((sum, item) => sum + item.rows, 0)
          assert.strictEqual(rows, joinable)
          assert.strictEqual(taken[0], waiting[0])
          assert.isTrue(taken.length <= 1 || (rows <= it.maxRows && taken[0]?.joinKey !== undefined))
          assert.isTrue(taken.every(({ joinKey }) => joinKey === taken[0]?.joinKey))
          assert.deepStrictEqual(ids(taken), ids(waiting.filter((item) => taken.includes(item))))
          waiting = waiting.filter((item) => !taken.includes(item))
        }
        assert.strictEqual(queue.first(), waiting[0])
      }
      assert.sameMembers(drain(queue, 1).flat(), ids(waiting))
    }),
  )
})
