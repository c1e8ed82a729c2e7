/** Models that run in this process. */
import {
  type LoadedModel,
  LoadFailed,
  type Placement,
  RunFailed,
  RunnerLost,
  RunnerUnavailable,
  type RunResult,
  RuntimeError,
  type Tensors,
} from "@modelforge/core"
import { Effect, type Scope } from "effect"
import { openSession, type Session, SessionError, type SessionOptions } from "../runner/OrtSession.ts"
import { joinMembers } from "../wire/Members.ts"
import { monotonicMs } from "../wire/monotonicMs.ts"
import { SerialQueue } from "./SerialQueue.ts"

class InlineModel implements LoadedModel {
  readonly instances = 1
  /** Nothing watches it: a crash takes this process along. */
  readonly failure = undefined
  readonly #session: Session
  readonly #size: number
  readonly #queue: SerialQueue
  #closed = false
  /** A run holds the only thread, so what arrives meanwhile is better kept together than staged. */
  readonly concurrency = 1

  constructor(session: Session, size: number, queue: SerialQueue) {
    this.#session = session
    this.#size = size
    this.#queue = queue
  }

  readonly memoryBytes = (): Promise<number> =>
    Promise.resolve(Math.max(this.#session.grownBytes(), this.#size))

  readonly run = (members: ReadonlyArray<Tensors>, outputs: ReadonlyArray<string>): Promise<RunResult> =>
    new Promise((resolve, reject) => {
      if (this.#closed) {
        return reject(new RuntimeError({ reason: new RunnerLost({ detail: "the model was unloaded" }) }))
      }
      const calledAt = monotonicMs()
      this.#queue.add(async () => {
        try {
          const {
            outputs: named,
            startedAt,
            computeMs,
          } = await this.#session.run(joinMembers(members), outputs)
          resolve({ outputs: named, queueMs: startedAt - calledAt, computeMs })
        } catch (cause) {
          reject(runFailed(cause))
        }
      })
    })

  /** Behind the runs that wait. */
  close(): Promise<void> {
    this.#closed = true
    return new Promise((resolve, reject) => {
      this.#queue.add(() => this.#session.release().then(resolve, reject))
    })
  }
}

const detailOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

const runFailed = (cause: unknown): RuntimeError =>
  new RuntimeError({ reason: new RunFailed({ detail: detailOf(cause) }) })

const loadFailed = (cause: unknown): RuntimeError =>
  new RuntimeError({
    reason:
      cause instanceof SessionError && cause.kind === "unavailable"
        ? new RunnerUnavailable({ detail: cause.message })
        : new LoadFailed({ detail: detailOf(cause) }),
  })

/** The `load` of a runtime whose models share this thread, one run after another, each with one instance. */
export const loader = (
  options: SessionOptions,
): ((
  file: string,
  size: number,
  placement: Placement,
) => Effect.Effect<LoadedModel, RuntimeError, Scope.Scope>) => {
  const queue = new SerialQueue()
  return Effect.fnUntraced(function* (file, size, placement) {
    const intraOpThreads = placement.intraOpThreads ?? options.intraOpThreads
    return yield* Effect.acquireRelease(
      Effect.tryPromise({ try: () => openSession(file, { intraOpThreads }), catch: loadFailed }).pipe(
        Effect.map((session) => new InlineModel(session, size, queue)),
      ),
      (model) => Effect.promise(() => model.close()),
    )
  })
}
