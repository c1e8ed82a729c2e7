/**
 * Interleaved rounds: A B C, A B C, … A machine that grows slower or busier meanwhile slows all of them, so the ratio
 * of two that were measured in the same round means something where absolute numbers do not.
 */
import { ascending, median, percentile } from "./statistics.ts"

/** One measurement of one subject. */
export interface Sample {
  /** Answers with 200, or runs. */
  readonly answered: number
  readonly seconds: number
  /** In milliseconds, ascending; empty where nobody waits for an answer. */
  readonly latencies: Float64Array
  /** Answers that were not 200. */
  readonly refused: number
  /** Processor time over wall time of the load generator. */
  readonly busy: number
  /** Processor time of the subject's processes meanwhile; NaN where it can't be told. */
  readonly cpuSeconds: number
}

export interface Subject {
  readonly name: string
  readonly measure: () => Promise<Sample>
}

/** Measures each subject once a round; gives the samples of each, in the order of the rounds. */
export const interleave = async (
  subjects: ReadonlyArray<Subject>,
  rounds: number,
): Promise<ReadonlyArray<ReadonlyArray<Sample>>> => {
  const samples = subjects.map((): Array<Sample> => [])
  for (let round = 0; round < rounds; round++)
    for (const [index, subject] of subjects.entries()) samples[index]?.push(await subject.measure())
  return samples
}

export interface Summary {
  /** Median over the rounds of the rate against the baseline's in the same round, and the extremes. */
  readonly ratio: number
  readonly lowest: number
  readonly highest: number
  /** The same for answers a processor second of the subject's. */
  readonly cpuRatio: number
  readonly rate: number
  readonly p50: number
  readonly p95: number
  readonly p99: number
  readonly refused: number
  readonly busy: number
}

const rateOf = ({ answered, seconds }: Sample): number => answered / seconds

const rateOfProcessor = ({ answered, cpuSeconds }: Sample): number => answered / cpuSeconds

/** `baseline` are the samples of the subject that this one is compared with. */
export const summarize = (samples: ReadonlyArray<Sample>, baseline: ReadonlyArray<Sample>): Summary => {
  const against = (rate: (sample: Sample) => number) =>
    samples.map((sample, round) => {
      const base = baseline[round]
      return base === undefined ? Number.NaN : rate(sample) / rate(base)
    })
  const ratios = ascending(against(rateOf))
  const latency = (share: number) => median(samples.map(({ latencies }) => percentile(latencies, share)))
  return {
    ratio: median([...ratios]),
    lowest: ratios[0] ?? Number.NaN,
    highest: ratios.at(-1) ?? Number.NaN,
    cpuRatio: median(against(rateOfProcessor)),
    rate: median(samples.map(rateOf)),
    p50: latency(0.5),
    p95: latency(0.95),
    p99: latency(0.99),
    refused: samples.reduce((sum, { refused }) => sum + refused, 0),
    busy: Math.max(...samples.map(({ busy }) => busy)),
  }
}
