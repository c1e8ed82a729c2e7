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
import { failureCode, frameKind, ProtocolError } from "../wire/Frame.ts"
import { FrameReader } from "../wire/FrameReader.ts"
import { UnsendableInputs } from "../wire/Members.ts"
import { monotonicMs } from "../wire/monotonicMs.ts"
import { PayloadReader, PayloadWriter } from "../wire/Payload.ts"
import { FrameSender } from "./FrameSender.ts"

/** The runner went away before it answered. */
export class RunnerGone extends Error {
  override readonly name = "RunnerGone"
  /** The runner was at work on this very request. */
  readonly culprit: boolean
  /** How it ended, for people: `signal SIGSEGV`. */
  readonly detail: string
  /** Why it was ended because of this request. */
  readonly verdict: RuntimeError | undefined
  constructor(detail: string, culprit: boolean, verdict?: RuntimeError) {
    super(detail)
    this.detail = detail
    this.culprit = culprit
    this.verdict = verdict
  }
}

export interface LoadedNames {
  readonly inputs: ReadonlyArray<string>
  readonly outputs: ReadonlyArray<string>
}

/** What the host wants to know of a run beside its result. */
export interface RunOptions {
  /** The runner may work on it for so long. */
  readonly limitMs: number
  /** It waits behind another that takes long. Called again and again while that is so. */
  readonly onStalled: () => void
}

interface Pending {
  readonly answered: (payload: PayloadReader) => void
  readonly failed: (code: number, detail: string) => void
  readonly lost: (gone: RunnerGone) => void
  /** The model of a run. */
  readonly handle: number | undefined
  readonly run: RunOptions | undefined
}

export class RunnerLink {
  readonly #stream: Duplex
  readonly #sender: FrameSender
  /** Requests that are not all sent. */
  readonly #leaving = new Map<number, Pending>()
  /** Those that are, in the order in which the runner takes them up; the first is what it is at work on. */
  readonly #pending = new Map<number, Pending>()
  readonly #reader = new FrameReader((kind, id, payload) => this.#receive(kind, id, payload))
  #nextId = 1
  #nextHandle = 1
  #gone: string | undefined
  #retiring = false
  /** Since when the first of the requests is the first. */
  #workingSince = 0
  #sentence: { readonly id: number; readonly verdict: RuntimeError } | undefined
  #markReady: () => void = () => {}
  /** The runner said that it runs. */
  readonly ready = new Promise<void>((resolve) => {
    this.#markReady = resolve
  })

  /** The link writes to the stream; what the stream reads is handed to `read`. */
  constructor(stream: Duplex) {
    this.#stream = stream
    this.#sender = new FrameSender(stream)
    // Followed by `close`, which is what the owner watches.
    stream.on("error", () => {})
  }

  /** Takes what the runner sent; keeps nothing of it. */
  read(chunk: Buffer): void {
    try {
      this.#reader.push(chunk)
    } catch {
      // A runner whose frames can't be read is of no more use; its owner sees the stream close.
      this.#stream.destroy()
    }
  }

  /** It can be sent requests. */
  get alive(): boolean {
    return this.#gone === undefined && this.#sentence === undefined && !this.#retiring
  }

  /** It was told to leave. */
  get retired(): boolean {
    return this.#retiring
  }

  /** Requests that wait for an answer. */
  get pending(): number {
    return this.#pending.size + this.#leaving.size
  }

  /** For how long the runner has been at work on what it is at work on; 0 when it has nothing to do. */
  workingMs(now: number): number {
    return this.#pending.size === 0 ? 0 : now - this.#workingSince
  }

  /** For how long it may be; endless for what is not a run. */
  get limitMs(): number {
    return this.#first?.run?.limitMs ?? Number.POSITIVE_INFINITY
  }

  /** It is at work on a run of this model. */
  isAtWorkOn(handle: number): boolean {
    return this.#first?.handle === handle
  }

  get #first(): Pending | undefined {
    const [first] = this.#pending.values()
    return first
  }

  /** Tells the runs behind the one at work that they wait for it. */
  reportStall(): void {
    const [, ...behind] = this.#pending.values()
    for (const { run } of behind) run?.onStalled()
  }

  /** The runner is about to be ended for what it is at work on, which is told so; nothing is sent to it any more. */
  condemn(verdict: RuntimeError): void {
    const [id] = this.#pending.keys()
    this.#sentence ??= { id: id ?? 0, verdict }
  }

  /** Loads a model; gives the handle to run it by. Rejects with a `RuntimeError`, or `RunnerGone`. */
  load(
    file: string,
    intraOpThreads: number,
  ): Promise<{ readonly handle: number; readonly names: LoadedNames }> {
    const handle = this.#nextHandle++
    return new Promise((resolve, reject) => {
      this.#send(frameKind.load, new PayloadWriter().uint(handle).uint(intraOpThreads).text(file), {
        answered: (payload) =>
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
        handle: undefined,
        run: undefined,
      })
    })
  }

  /** Runs a model once on the rows of all members. Rejects with a `RuntimeError`, or `RunnerGone`. */
  run(
    handle: number,
    members: ReadonlyArray<Tensors>,
    outputs: ReadonlyArray<string>,
    run?: RunOptions,
  ): Promise<RunResult> {
    return this.#run(frameKind.run, handle, members, outputs, run)
  }

  /** Like `run`, and leaves the outputs in the runner: those of a model that is on trial may be of any size. */
  async rehearse(handle: number, inputs: Tensors, outputs: ReadonlyArray<string>): Promise<void> {
    await this.#run(frameKind.rehearse, handle, [inputs], outputs, undefined)
  }

  #run(
    kind: number,
    handle: number,
    members: ReadonlyArray<Tensors>,
    outputs: ReadonlyArray<string>,
    run: RunOptions | undefined,
  ): Promise<RunResult> {
    return new Promise((resolve, reject) => {
      const sentAt = monotonicMs()
      try {
        const payload = new PayloadWriter().uint(handle).texts(outputs).joined(members)
        this.#send(kind, payload, {
          answered: (payload) => {
            const startedAt = payload.double()
            const computeMs = payload.double()
            resolve({ outputs: payload.tensors(), queueMs: Math.max(0, startedAt - sentAt), computeMs })
          },
          failed: (_code, detail) => reject(runFailed(detail)),
          lost: reject,
          handle,
          run,
        })
      } catch (cause) {
        reject(cause instanceof UnsendableInputs ? runFailed(cause.message) : cause)
      }
    })
  }

  /**
   * Gives the model's memory back, after the runs that were sent before. Resolves with the bytes that the runner holds
   * for no model; with 0 also if it is gone.
   */
  release(handle: number): Promise<number> {
    return this.#ask(frameKind.release, handle)
  }

  /** What the model takes in memory, in bytes; 0 if the runner is gone. */
  measure(handle: number): Promise<number> {
    return this.#ask(frameKind.measure, handle)
  }

  #ask(kind: number, handle: number): Promise<number> {
    return new Promise((resolve) => {
      this.#send(kind, new PayloadWriter().uint(handle), {
        answered: (payload) => resolve(payload.double()),
        failed: () => resolve(0),
        lost: () => resolve(0),
        handle: undefined,
        run: undefined,
      })
    })
  }

  /** Nothing new is sent to the runner, and once all is answered the connection is ended, at which it leaves. */
  retire(): void {
    this.#retiring = true
    this.#endIfRetired()
  }

  #endIfRetired(): void {
    if (this.#retiring && this.pending === 0) this.#stream.end()
  }

  /** The runner is gone: everything that waits is told why. */
  lose(detail: string): void {
    if (this.#gone !== undefined) return
    this.#gone = detail
    const pending = [...this.#pending, ...this.#leaving]
    const working = this.#pending.size > 0
    this.#pending.clear()
    this.#leaving.clear()
    const sentence = this.#sentence
    pending.forEach(([id, { lost }], index) => {
      const condemned = sentence?.id === id
      lost(
        new RunnerGone(
          detail,
          sentence === undefined ? working && index === 0 : condemned,
          condemned ? sentence.verdict : undefined,
        ),
      )
    })
  }

  #send(kind: number, payload: PayloadWriter, pending: Pending): void {
    if (this.#gone !== undefined) {
      pending.lost(new RunnerGone(this.#gone, false))
      return
    }
    const id = this.#nextId
    this.#nextId = id === 0xffffffff ? 1 : id + 1
    const frame = payload.frame(kind, id)
    this.#leaving.set(id, pending)
    this.#sender.send(frame, () => {
      // Not if the runner was lost meanwhile.
      if (!this.#leaving.delete(id)) return
      if (this.#pending.size === 0) this.#workingSince = monotonicMs()
      this.#pending.set(id, pending)
    })
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
    else pending.answered(reader)
    // Last, so that a request whose answer can't be read still waits, and is told when the link is closed.
    this.#pending.delete(id)
    this.#workingSince = monotonicMs()
    this.#endIfRetired()
  }
}

const runFailed = (detail: string): RuntimeError => new RuntimeError({ reason: new RunFailed({ detail }) })
