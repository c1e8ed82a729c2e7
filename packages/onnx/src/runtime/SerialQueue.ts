/** Does one piece of work after another, in the order of arrival: ONNX Runtime holds its thread anyway. */
export class SerialQueue {
  readonly #waiting: Array<() => Promise<unknown>> = []
  #busy = false

  /** `work` never rejects. */
  add(work: () => Promise<unknown>): void {
    this.#waiting.push(work)
    if (!this.#busy) void this.#drain()
  }

  async #drain(): Promise<void> {
    this.#busy = true
    let next = this.#waiting.shift()
    while (next !== undefined) {
      await next()
      next = this.#waiting.shift()
    }
    this.#busy = false
  }
}
