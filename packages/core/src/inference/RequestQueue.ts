/** The requests that wait for one version, by priority and then by arrival. Owns nothing of their fate. */

/** What the queue needs to know of a request. */
export interface Queued {
  /** Lower is served first. */
  readonly priority: number
  readonly rows: number
  /** Requests join only those of the same key; undefined joins nobody. */
  readonly joinKey: string | undefined
  /** It waits no more: it was taken, the caller left, or its time was up. */
  gone: boolean
}

/** How far behind the first request others are looked for to join it. */
const lookAhead = 1024

/** First in, first out. Entries that are gone stay until they reach the front. */
class Lane<A extends Queued> {
  readonly priority: number
  #entries: Array<A> = []
  #head = 0

  constructor(priority: number) {
    this.priority = priority
  }

  push(entry: A): void {
    this.#entries.push(entry)
  }

  first(): A | undefined {
    while (this.#entries[this.#head]?.gone === true) this.#head++
    if (this.#head > lookAhead) {
      this.#entries = this.#entries.slice(this.#head)
      this.#head = 0
    }
    return this.#entries[this.#head]
  }

  *waiting(): Generator<A> {
    const end = Math.min(this.#entries.length, this.#head + lookAhead)
    for (let index = this.#head; index < end; index++) {
      const entry = this.#entries[index]
      if (entry?.gone === false) yield entry
    }
  }
}

export class RequestQueue<A extends Queued> {
  /** Few: one for each priority in use, most urgent first. */
  readonly #lanes: Array<Lane<A>> = []

  push(entry: A): void {
    let lane = this.#lanes.find(({ priority }) => priority === entry.priority)
    if (lane === undefined) {
      lane = new Lane<A>(entry.priority)
      this.#lanes.push(lane)
      this.#lanes.sort((a, b) => a.priority - b.priority)
    }
    lane.push(entry)
  }

  /** The request that is served next. */
  first(): A | undefined {
    for (const lane of this.#lanes) {
      const entry = lane.first()
      if (entry !== undefined) return entry
    }
    return undefined
  }

  /** Rows that could join the next request, itself included; stops counting at `maxRows`. */
  joinable(maxRows: number): number {
    let rows = 0
    for (const entry of this.#companions(maxRows)) rows += entry.rows
    return rows
  }

  /** Takes the next request and those that join it, up to `maxRows`; a larger request goes alone. */
  take(maxRows: number): Array<A> {
    const taken = [...this.#companions(maxRows)]
    for (const entry of taken) entry.gone = true
    return taken
  }

  *#companions(maxRows: number): Generator<A> {
    const first = this.first()
    if (first === undefined) return
    yield first
    if (first.joinKey === undefined) return
    let rows = first.rows
    for (const lane of this.#lanes)
      for (const entry of lane.waiting()) {
        if (rows >= maxRows) return
        if (entry === first || entry.joinKey !== first.joinKey || rows + entry.rows > maxRows) continue
        rows += entry.rows
        yield entry
      }
  }
}
