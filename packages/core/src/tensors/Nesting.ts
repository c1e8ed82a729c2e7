/** The shape of nested arrays, found out while they are read. */
import { maxRank } from "../model/Tensor.ts"

export class Nesting {
  /** Sizes as far as they are known: that of a level when its first array is closed. */
  readonly shape: Array<number> = []
  readonly #counts: Array<number> = []
  /** Level whose arrays hold the elements; 0 while it is not known. */
  #rank = 0
  depth = 0

  /** A bracket opens; false when nothing rectangular can come of it. */
  open(): boolean {
    if (this.depth === maxRank || (this.#rank !== 0 && this.depth === this.#rank)) return false
    if (this.depth > 0) this.#counts[this.depth - 1] = (this.#counts[this.depth - 1] ?? 0) + 1
    this.#counts[this.depth++] = 0
    return true
  }

  /** So many elements stand in the array that is open. */
  add(elements: number): boolean {
    if (this.#rank === 0) this.#rank = this.depth
    this.#counts[this.depth - 1] = elements
    return this.depth === this.#rank
  }

  /** The array that is open is closed; false when it has another length than those beside it. */
  close(): boolean {
    if (this.#rank === 0) this.#rank = this.depth
    this.depth--
    const count = this.#counts[this.depth] ?? 0
    this.shape[this.depth] ??= count
    return this.shape[this.depth] === count
  }
}
