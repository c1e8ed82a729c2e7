/**
 * Chooses among weighted seats, at random or by a caller's key. Plain code without allocation: every request without a
 * version passes here.
 */

/** FNV-1a over UTF-16 code units: the same in every process and release. */
const hashText = (text: string, seed: number): number => {
  let hash = seed
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}
const fnvOffset = 0x811c9dc5

/** The finalizer of MurmurHash3: every bit of the input changes half of the output. */
const mixed = (hash: number): number => {
  let mix = hash
  mix = Math.imul(mix ^ (mix >>> 16), 0x85ebca6b)
  mix = Math.imul(mix ^ (mix >>> 13), 0xc2b2ae35)
  return (mix ^ (mix >>> 16)) >>> 0
}

export interface Seat<A> {
  /** What the seat is told by when keys are hashed: who sits there may change. */
  readonly name: string
  readonly weight: number
  readonly value: A
}

interface HashedSeat<A> extends Seat<A> {
  readonly hash: number
}

/**
 * Keys are spread by weighted rendezvous hashing: of the seats, each draws a number from the key and its own name, and
 * the least number by weight wins. So a key leaves its seat only for one whose weight grew against it: while a seat's
 * weight grows and no other's does, nobody leaves it, and when a seat goes, only its keys move.
 */
export class WeightedSplit<A> {
  readonly #seats: ReadonlyArray<HashedSeat<A>>
  readonly #last: HashedSeat<A>
  readonly #total: number
  readonly #seed: number

  /** Seats without weight get nothing. The scope, a model's name, keeps equal keys of different splits apart. */
  static make<A>(scope: string, seats: ReadonlyArray<Seat<A>>): WeightedSplit<A> | undefined {
    const taken = seats
      .filter(({ weight }) => weight > 0)
      .map((seat) => ({ ...seat, hash: hashText(seat.name, fnvOffset) }))
    const last = taken.at(-1)
    return last === undefined ? undefined : new WeightedSplit(scope, taken, last)
  }

  private constructor(scope: string, seats: ReadonlyArray<HashedSeat<A>>, last: HashedSeat<A>) {
    this.#seats = seats
    this.#last = last
    this.#total = seats.reduce((sum, { weight }) => sum + weight, 0)
    this.#seed = hashText(scope, fnvOffset)
  }

  /** `random` is at least 0 and less than 1. */
  at(random: number): A {
    let rest = random * this.#total
    for (const seat of this.#seats) {
      rest -= seat.weight
      if (rest < 0) return seat.value
    }
    return this.#last.value
  }

  /** The same for the same key. */
  of(key: string): A {
    const hash = hashText(key, this.#seed)
    let chosen = this.#last
    let least = Number.POSITIVE_INFINITY
    for (const seat of this.#seats) {
      const drawn = (mixed(hash ^ seat.hash) + 0.5) / 2 ** 32
      const score = -Math.log(drawn) / seat.weight
      if (score < least) {
        least = score
        chosen = seat
      }
    }
    return chosen.value
  }
}
