/** How the versions of a model are to be served, as its operator says. What is absent is the server's to choose. */
import { Schema } from "effect"

const within = (minimum: number, maximum: number) =>
  Schema.Int.check(Schema.isGreaterThanOrEqualTo(minimum), Schema.isLessThanOrEqualTo(maximum))

/** Longest text of a stored warm-up sample, as JSON. */
const maxSampleLength = 64 * 1024

const Sample = Schema.Record(Schema.String, Schema.Unknown).check(
  Schema.makeFilter((sample) => (JSON.stringify(sample)?.length ?? 0) <= maxSampleLength, {
    message: `a sample is at most ${maxSampleLength} characters of JSON`,
  }),
)

export const BatchingConfig = Schema.Struct({
  /** Rows of one run at most; 1 joins nothing. Default: what was measured to pay when the model was loaded. */
  maxBatchSize: Schema.optionalKey(within(1, 4096)),
  /** Milliseconds that a request waits for company. Default: 0, only what it waits anyway. */
  maxDelayMs: Schema.optionalKey(within(0, 10_000)),
})

export const QueueConfig = Schema.Struct({
  /** Predictions of the model under way, waiting or running. Default: the server's limit, 1024. */
  maxDepth: Schema.optionalKey(within(1, 1_000_000)),
  /** Bytes of their bodies. Default: the server's limit, 256 MiB. */
  maxBytes: Schema.optionalKey(within(1, Number.MAX_SAFE_INTEGER)),
  /** Milliseconds that a prediction may take that says nothing of it. Default: the server's, 30 seconds. */
  timeoutMs: Schema.optionalKey(within(1, 86_400_000)),
})

export const WarmupConfig = Schema.Struct({
  /** Runs of each instance before the version takes requests; 0 for none. Default: 1. */
  runs: Schema.optionalKey(within(0, 100)),
  /** Inputs by name, nested arrays as in a prediction. Default: made-up inputs that fit the signature. */
  inputs: Schema.optionalKey(Sample),
})

/** `inline`: on the thread of the server, for models that take microseconds. */
export const Execution = Schema.Literals(["process", "inline"])
export type Execution = typeof Execution.Type

export const ModelConfig = Schema.Struct({
  batching: Schema.optionalKey(BatchingConfig),
  queue: Schema.optionalKey(QueueConfig),
  /** Milliseconds after which a run is ended, with the process it runs in. Default: 60 seconds. */
  runLimitMs: Schema.optionalKey(within(1, 86_400_000)),
  /** Copies that run side by side. Default: one for each runner, a single one of a large model. */
  instances: Schema.optionalKey(within(1, 256)),
  execution: Schema.optionalKey(Execution),
  /** Threads that one operator of one instance may use. Default: what keeps all instances within the cores. */
  intraOpThreads: Schema.optionalKey(within(1, 256)),
  warmup: Schema.optionalKey(WarmupConfig),
})
export type ModelConfig = typeof ModelConfig.Type
