/** The requests that wait for one version, by priority and then by arrival. Owns nothing of their fate. */

/** What the queue needs to know of a request, and the links by which it holds it: leaving costs the same anywhere. */
export interface Queued<Self> {
  /** Lower is served first. */
  readonly priority: number
  readonly rows: number
  /** Requests join only those of the same key; undefined joins nobody. */
  readonly joinKey: string | undefined
  /** Where it waits; the queue's to set, like the two below. */
  lane: Lane<Self> | undefined
  previous: Self | undefined
  next: Self | undefined
}

/** Requests of one priority, first in, first out. */
interface Lane<A> {
  readonly priority: number
  first: A | undefined
  last: A | undefined
}

/** How many of those that wait are looked at to find company for the first. */
const lookAhead = 1024

export class RequestQueue<A extends Queued<A>> {
  /** One for each priority that waits, most urgent first. */
  readonly #lanes: Array<Lane<A>> = []

  push(entry: A): void {
    const lane = this.#laneOf(entry.priority)
    entry.lane = lane
    entry.previous = lane.last
    if (lane.last === undefined) lane.first = entry
    else lane.last.next = entry
    lane.last = entry
  }

  #laneOf(priority: number): Lane<A> {
    let at = 0
    for (const lane of this.#lanes) {
      if (lane.priority === priority) return lane
      if (lane.priority > priority) break
      at++
    }
    const lane: Lane<A> = { priority, first: undefined, last: undefined }
    this.#lanes.splice(at, 0, lane)
    return lane
  }

  /** Takes out a request that waits here; nothing happens when it waits no more. */
  remove(entry: A): void {
    const { lane, previous, next } = entry
    const at = lane === undefined ? -1 : this.#lanes.indexOf(lane)
    if (lane === undefined || at === -1) return
    if (previous === undefined) lane.first = next
    else previous.next = next
    if (next === undefined) lane.last = previous
    else next.previous = previous
    entry.lane = undefined
    entry.previous = undefined
    entry.next = undefined
    if (lane.first === undefined) this.#lanes.splice(at, 1)
  }

  /** The request that is served next. */
  first(): A | undefined {
    return this.#lanes[0]?.first
  }

  /** Rows that could join the next request, itself included; stops counting at `maxRows`. */
  joinable(maxRows: number): number {
    let rows = 0
    for (const entry of this.#companions(maxRows)) rows += entry.rows
    return rows
  }

  /** Takes the next request and those that join it, up to `maxRows`; a larger request goes alone. */
  take(maxRows: number): ReadonlyArray<A> {
    const taken = this.#companions(maxRows)
    for (const entry of taken) this.remove(entry)
    return taken
  }

  #companions(maxRows: number): ReadonlyArray<A> {
    const first = this.first()
    if (first === undefined) return []
    const found = [first]
    if (first.joinKey === undefined) return found
    let rows = first.rows
    let looked = 0
    for (const lane of this.#lanes)
      for (let entry = lane.first; entry !== undefined; entry = entry.next) {
        if (rows >= maxRows || ++looked > lookAhead) return found
        if (entry === first || entry.joinKey !== first.joinKey || rows + entry.rows > maxRows) continue
        rows += entry.rows
        found.push(entry)
      }
    return found
  }
}
