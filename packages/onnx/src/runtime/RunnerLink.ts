/** The host's side of the connection to one runner: sends requests, matches answers. Plain code; a run passes here. */

import type { Duplex } from "node:stream"
import {
  LoadFailed,
  RunFailed,
  RunnerUnavailable,
  type RunResult,
  RuntimeError,
  type Tensors,
} from "@modelforge/core"
import { FrameReader, failureCode, frameKind, ProtocolError } from "../wire/Frame.ts"
import { monotonicMs } from "../wire/monotonicMs.ts"
import { PayloadReader, PayloadWriter } from "../wire/Payload.ts"

/** The runner went away before it answered. */
export class RunnerGone extends Error {
  override readonly name = "RunnerGone"
  /** The runner was at work on this very request. */
  readonly culprit: boolean
  /** How it ended, for people: `it crashed (signal SIGSEGV)`. */
  readonly detail: string
  constructor(detail: string, culprit: boolean) {
    super(detail)
    this.detail = detail
    this.culprit = culprit
  }
}

export interface LoadedNames {
  readonly inputs: ReadonlyArray<string>
  readonly outputs: ReadonlyArray<string>
}

interface Pending {
  readonly answered: (kind: number, payload: PayloadReader) => void
  readonly failed: (code: number, detail: string) => void
  readonly lost: (gone: RunnerGone) => void
}

export class RunnerLink {
  readonly #stream: Duplex
  /** In the order of sending, which is the order in which the runner works. */
  readonly #pending = new Map<number, Pending>()
  #nextId = 1
  #nextHandle = 1
  #gone: string | undefined
  #markReady: () => void = () => {}
  /** The runner said that it runs. */
  readonly ready = new Promise<void>((resolve) => {
    this.#markReady = resolve
  })

  constructor(stream: Duplex) {
    this.#stream = stream
    const reader = new FrameReader((kind, id, payload) => this.#receive(kind, id, payload))
    stream.on("data", (chunk: Buffer) => {
      try {
        reader.push(chunk)
      } catch {
        // A runner whose frames can't be read is of no more use; its owner sees the stream close.
        stream.destroy()
      }
    })
    // Followed by `close`, which is what the owner watches.
    stream.on("error", () => {})
  }

  get alive(): boolean {
    return this.#gone === undefined
  }

  /** Requests that wait for an answer. */
  get pending(): number {
    return this.#pending.size
  }

  /** Loads a model; gives the handle to run it by. Rejects with a `RuntimeError`, or `RunnerGone`. */
  load(
    file: string,
    intraOpThreads: number,
  ): Promise<{ readonly handle: number; readonly names: LoadedNames }> {
    const handle = this.#nextHandle++
    return new Promise((resolve, reject) => {
      this.#send(frameKind.load, new PayloadWriter().uint(handle).uint(intraOpThreads).text(file), {
        answered: (_kind, payload) =>
          resolve({ handle, names: { inputs: payload.texts(), outputs: payload.texts() } }),
        failed: (code, detail) =>
          reject(
            new RuntimeError({
              reason:
                code === failureCode.unavailable
                  ? new RunnerUnavailable({ detail })
                  : new LoadFailed({ detail }),
            }),
          ),
        lost: reject,
      })
    })
  }

  /** Rejects with a `RuntimeError`, `RunnerGone`, or the signal's reason. */
  run(
    handle: number,
    inputs: Tensors,
    outputs: ReadonlyArray<string>,
    signal?: AbortSignal,
  ): Promise<RunResult> {
    return this.#run(frameKind.run, handle, inputs, outputs, signal)
  }

  /** Like `run`, and leaves the outputs in the runner: those of a model that is on trial may be of any size. */
  async rehearse(handle: number, inputs: Tensors, outputs: ReadonlyArray<string>): Promise<void> {
    await this.#run(frameKind.rehearse, handle, inputs, outputs, undefined)
  }

  #run(
    kind: number,
    handle: number,
    inputs: Tensors,
    outputs: ReadonlyArray<string>,
    signal: AbortSignal | undefined,
  ): Promise<RunResult> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const sentAt = monotonicMs()
      const withdraw = () => {
        reject(signal?.reason)
        if (this.#gone === undefined) new PayloadWriter().send(this.#stream, frameKind.cancel, id)
      }
      const settle = () => signal?.removeEventListener("abort", withdraw)
      const id = this.#send(kind, new PayloadWriter().uint(handle).texts(outputs).tensors(inputs), {
        answered: (_kind, payload) => {
          settle()
          const startedAt = payload.double()
          const computeMs = payload.double()
          resolve({ outputs: payload.tensors(), queueMs: Math.max(0, startedAt - sentAt), computeMs })
        },
        failed: (_code, detail) => {
          settle()
          reject(new RuntimeError({ reason: new RunFailed({ detail }) }))
        },
        lost: (gone) => {
          settle()
          reject(gone)
        },
      })
      signal?.addEventListener("abort", withdraw, { once: true })
    })
  }

  /** Gives the model's memory back, after the runs that were sent before. Resolves also if the runner is gone. */
  release(handle: number): Promise<void> {
    return new Promise((resolve) => {
      this.#send(frameKind.release, new PayloadWriter().uint(handle), {
        answered: () => resolve(),
        failed: () => resolve(),
        lost: () => resolve(),
      })
    })
  }

  /** The runner is gone: everything that waits is told why. The oldest request is what it was at work on. */
  lose(detail: string): void {
    if (this.#gone !== undefined) return
    this.#gone = detail
    const pending = [...this.#pending.values()]
    this.#pending.clear()
    pending.forEach(({ lost }, index) => {
      lost(new RunnerGone(detail, index === 0))
    })
  }

  #send(kind: number, payload: PayloadWriter, pending: Pending): number {
    const id = this.#nextId
    this.#nextId = id === 0xffffffff ? 1 : id + 1
    if (this.#gone !== undefined) {
      pending.lost(new RunnerGone(this.#gone, false))
      return id
    }
    payload.send(this.#stream, kind, id)
    this.#pending.set(id, pending)
    return id
  }

  #receive(kind: number, id: number, payload: Buffer): void {
    if (kind === frameKind.ready) {
      this.#markReady()
      return
    }
    const pending = this.#pending.get(id)
    if (pending === undefined) throw new ProtocolError("an answer to nothing")
    const reader = new PayloadReader(payload)
    if (kind === frameKind.failed) pending.failed(reader.uint(), reader.text())
    else pending.answered(kind, reader)
    // Last, so that a request whose answer can't be read still waits, and is told when the link is closed.
    this.#pending.delete(id)
  }
}
