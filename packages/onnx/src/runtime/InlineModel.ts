/** Models that run in this process. */
import {
  type LoadedModel,
  LoadFailed,
  RunFailed,
  RunnerLost,
  RunnerUnavailable,
  type RunResult,
  RuntimeError,
  type Tensors,
} from "@modelforge/core"
import { Effect, type Scope } from "effect"
import { openSession, type Session, SessionError, type SessionOptions } from "../runner/OrtSession.ts"
import { SerialQueue } from "../runner/SerialQueue.ts"
import { monotonicMs } from "../wire/monotonicMs.ts"

class InlineModel implements LoadedModel {
  readonly #session: Session
  readonly #queue: SerialQueue
  #closed = false

  constructor(session: Session, queue: SerialQueue) {
    this.#session = session
    this.#queue = queue
  }

  readonly run = (
    inputs: Tensors,
    outputs: ReadonlyArray<string>,
    signal?: AbortSignal,
  ): Promise<RunResult> =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      if (this.#closed) {
        return reject(new RuntimeError({ reason: new RunnerLost({ detail: "the model was unloaded" }) }))
      }
      const calledAt = monotonicMs()
      const withdraw = () => reject(signal?.reason)
      signal?.addEventListener("abort", withdraw, { once: true })
      this.#queue.add(() => {
        if (signal?.aborted) return Promise.resolve()
        return this.#session.run(inputs, outputs).then(
          ({ outputs, startedAt, computeMs }) => {
            signal?.removeEventListener("abort", withdraw)
            resolve({ outputs, queueMs: startedAt - calledAt, computeMs })
          },
          (cause) => {
            signal?.removeEventListener("abort", withdraw)
            reject(runFailed(cause))
          },
        )
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

/** The `load` of a runtime whose models share this thread, one run after another. */
export const loader = (
  options: SessionOptions,
): ((file: string) => Effect.Effect<LoadedModel, RuntimeError, Scope.Scope>) => {
  const queue = new SerialQueue()
  return Effect.fn("ModelRuntime.load")(function* (file: string) {
    return yield* Effect.acquireRelease(
      Effect.tryPromise({ try: () => openSession(file, options), catch: loadFailed }).pipe(
        Effect.map((session) => new InlineModel(session, queue)),
      ),
      (model) => Effect.promise(() => model.close()),
    )
  })
}
