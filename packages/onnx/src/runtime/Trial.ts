/** Tries a model in a throw-away process, within limits of time and memory. */
import { LoadFailed, RuntimeError, type Signature, syntheticInputs, type TensorSpec } from "@modelforge/core"
import { Duration, Effect, Schedule, Semaphore } from "effect"
import { RunnerGone } from "./RunnerLink.ts"
import { acquire, type RunnerProcess, type RunnerProcessOptions } from "./RunnerProcess.ts"
import { residentBytes } from "./residentBytes.ts"

export interface TrialOptions {
  /** For load and run together. Default 2 minutes. */
  readonly timeLimit?: Duration.Input
  /** Resident memory of the process, in bytes; watched on Linux. Default 4 GiB. */
  readonly memoryLimit?: number
  /** Trials at the same time; others wait their turn. Default 2. */
  readonly concurrency?: number
}

/** Longer than an upload waits for its trial, so that large models become versions, behind a `validating` answer. */
export const defaultTimeLimit = Duration.minutes(2)
/** Of the memory watch; a process can allocate some hundred megabytes between two looks. */
const watchInterval = Duration.millis(20)

const failed = (detail: string): RuntimeError => new RuntimeError({ reason: new LoadFailed({ detail }) })

const difference = (
  kind: string,
  read: ReadonlyArray<TensorSpec>,
  loaded: ReadonlyArray<string>,
): string | undefined => {
  const names = new Set(read.map(({ name }) => name))
  const extra = loaded.find((name) => !names.has(name))
  if (extra !== undefined) return `the runtime sees an ${kind} "${extra}" that the file's reader does not`
  const missing = read.find(({ name }) => !loaded.includes(name))
  return missing && `the runtime does not see the ${kind} "${missing.name}" that the file's reader does`
}

export type Trial = (file: string, signature: Signature) => Effect.Effect<void, RuntimeError>

export const make = (options: TrialOptions, runner: RunnerProcessOptions): Trial => {
  const timeLimit = Duration.fromInputUnsafe(options.timeLimit ?? defaultTimeLimit)
  const memoryLimit = options.memoryLimit ?? 4 * 1024 ** 3
  const permits = Semaphore.makeUnsafe(options.concurrency ?? 2)

  const watch = ({ pid }: RunnerProcess) =>
    residentBytes(pid).pipe(
      Effect.flatMap((bytes) =>
        bytes > memoryLimit
          ? Effect.fail(
              failed(
                `it used more than ${Math.round(memoryLimit / 1024 ** 2)} MiB of memory when it was tried`,
              ),
            )
          : Effect.void,
      ),
      Effect.repeat(Schedule.spaced(watchInterval)),
      Effect.andThen(Effect.never),
    )

  /** A crash is the model's fault here: nothing else runs in the process. */
  const call = <A>(what: string, request: () => Promise<A>): Effect.Effect<A, RuntimeError> =>
    Effect.tryPromise({ try: request, catch: (cause) => cause }).pipe(
      Effect.catch((cause) =>
        cause instanceof RuntimeError
          ? Effect.fail(cause)
          : cause instanceof RunnerGone
            ? Effect.fail(failed(`${what} it crashed the runtime (${cause.detail})`))
            : Effect.die(cause),
      ),
    )

  const examine = Effect.fnUntraced(function* (file: string, signature: Signature, process: RunnerProcess) {
    let stage = "load"
    const steps = Effect.gen(function* () {
      const { handle, names } = yield* call("loading", () => process.link.load(file, 1))
      const mismatch =
        difference("input", signature.inputs, names.inputs) ??
        difference("output", signature.outputs, names.outputs)
      if (mismatch !== undefined) return yield* failed(mismatch)
      const inputs = syntheticInputs(signature, 1)
      // Too large to be made up: the model is only loaded.
      if (inputs === undefined) return
      stage = "run"
      yield* call("running", () =>
        process.link.rehearse(
          handle,
          inputs,
          signature.outputs.map(({ name }) => name),
        ),
      ).pipe(
        // Made-up inputs need not make sense to a model.
        Effect.catchIf(
          (error) => error.reason._tag === "RunFailed",
          () => Effect.void,
        ),
      )
    })
    yield* Effect.raceFirst(steps, watch(process)).pipe(
      Effect.timeoutOrElse({
        duration: timeLimit,
        orElse: () =>
          Effect.fail(
            failed(
              `it did not ${stage}${stage === "run" ? " once on made-up inputs" : ""} within ${Duration.format(timeLimit)}`,
            ),
          ),
      }),
      // Whatever it still does, nobody waits for it.
      Effect.ensuring(Effect.sync(process.kill)),
    )
  })

  return Effect.fn("ModelRuntime.trial")(
    function* (file: string, signature: Signature) {
      const process = yield* acquire(runner)
      yield* examine(file, signature, process)
    },
    Effect.scoped,
    permits.withPermits(1),
  )
}
