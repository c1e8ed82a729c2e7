/** Whatever happens in whatever order: each request is settled once, by its own rows or by what happened to it. */
import { getEventListeners } from "node:events"
import { afterEach, assert, beforeEach, it, vi } from "@effect/vitest"
import fc from "fast-check"
import { Batcher } from "../../src/inference/Batcher.ts"
import { InferenceError } from "../../src/inference/InferenceError.ts"
import { RuntimeError } from "../../src/inference/ModelRuntime.ts"
import { VersionStatistics } from "../../src/inference/ModelStatistics.ts"
import type { Tensor, Tensors } from "../../src/model/Tensor.ts"
import {
  answerTo,
  ControlledModel,
  type ControlledRun,
  controlTime,
  pass,
  request,
  rowsFrom,
} from "./ControlledModel.ts"

beforeEach(controlTime)
afterEach(() => {
  vi.useRealTimers()
})

/** What a request does to the run it is in. */
type Nature = "innocent" | "fails" | "crashes"

const submitCommand = fc.record({
  do: fc.constant("submit" as const),
  rows: fc.integer({ min: 1, max: 6 }),
  width: fc.integer({ min: 1, max: 2 }),
  outputs: fc.constantFrom(["double"], ["first"], ["double", "first"], ["first", "double"]),
  priority: fc.integer({ min: -1, max: 1 }),
  timeoutMs: fc.constantFrom(3, 10, 30_000),
  nature: fc.constantFrom<Nature>("innocent", "innocent", "innocent", "innocent", "fails", "crashes"),
})

const command = fc.oneof(
  { weight: 8, arbitrary: submitCommand },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("abort" as const), at: fc.nat(8) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("pass" as const), milliseconds: fc.nat(4) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant("end" as const), at: fc.nat(8) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("mix" as const), at: fc.nat(8) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("crash" as const) }) },
)
type Command = typeof command extends fc.Arbitrary<infer A> ? A : never

const scenario = fc.record({
  concurrency: fc.integer({ min: 1, max: 3 }),
  maxBatchSize: fc.constantFrom(1, 2, 4, 8),
  maxDelayMs: fc.constantFrom(0, 0, 3),
  commands: fc.array(command, { maxLength: 60, size: "max" }),
})

/** A request and what happened to it. */
class Subject {
  readonly x: Tensor
  readonly nature: Nature
  readonly outputs: ReadonlyArray<string>
  readonly deadline: number
  readonly controller = new AbortController()
  /** Runs of it whose runner was lost. */
  losses = 0
  runs = 0
  settled: { readonly outputs: Tensors } | { readonly error: unknown } | undefined
  constructor(x: Tensor, nature: Nature, outputs: ReadonlyArray<string>, deadline: number) {
    this.x = x
    this.nature = nature
    this.outputs = outputs
    this.deadline = deadline
  }
}

class Trial {
  readonly model: ControlledModel
  readonly batcher: Batcher
  readonly subjects: Array<Subject> = []
  readonly #maxBatchSize: number
  readonly #violations: Array<unknown> = []
  /** A crash that no request is to blame for: it may hit an innocent twice. */
  #accidents = 0
  constructor(concurrency: number, maxBatchSize: number, maxDelayMs: number) {
    this.#maxBatchSize = maxBatchSize
    this.model = new ControlledModel(concurrency)
    this.batcher = new Batcher(this.model, { maxBatchSize, maxDelayMs }, new VersionStatistics())
    this.model.onRun = (run) => {
      try {
        this.#inspect(run)
      } catch (violation) {
        // The batcher would take it for a failure of the run.
        this.#violations.push(violation)
      }
    }
  }

  #subjectsOf(run: ControlledRun): ReadonlyArray<Subject> {
    return run.members.map(({ x }) => {
      const subject = this.subjects.find((it) => it.x === x)
      assert.isDefined(subject, "the model runs what was submitted")
      return subject
    })
  }

  /** What holds of every run at the moment it is handed over. */
  #inspect(run: ControlledRun): void {
    const subjects = this.#subjectsOf(run)
    const [first] = subjects
    const rows = subjects.reduce((sum, { x }) => sum + (x.shape[0] ?? 0), 0)
    assert.isDefined(first, "no run is empty")
    assert.isTrue(subjects.length === 1 || rows <= this.#maxBatchSize, "a run keeps to the limit")
    assert.isTrue(
      subjects.every(({ x }) => x.shape[1] === first.x.shape[1]),
      "unequal shapes don't join",
    )
    assert.sameMembers([...run.outputs], [...new Set(subjects.flatMap(({ outputs }) => outputs))])
    for (const subject of subjects) {
      subject.runs++
      assert.isUndefined(subject.settled, "nobody runs who was answered")
      assert.isFalse(subject.controller.signal.aborted, "nobody runs who left")
      assert.isBelow(performance.now(), subject.deadline, "nobody runs whose time is up")
      assert.isAtMost(subject.runs, 3, "joined, apart, and once more when the runner was lost")
    }
    const suspects = [...this.model.underWay, run].filter((it) =>
      this.#subjectsOf(it).some(({ losses }) => losses > 0),
    )
    assert.isAtMost(suspects.length, 1, "suspects of a crash run one after another")
    assert.isTrue(subjects.length === 1 || subjects.every(({ losses }) => losses === 0))
  }

  submit(it: Command & { readonly do: "submit" }): void {
    const x = rowsFrom(this.subjects.length * 100, it.rows, it.width)
    const subject = new Subject(x, it.nature, it.outputs, performance.now() + it.timeoutMs)
    const { priority, timeoutMs, outputs } = it
    const { signal } = subject.controller
    this.subjects.push(subject)
    this.batcher.submit(request({ x }, { outputs, priority, timeoutMs, signal })).then(
      (result) => {
        subject.settled = { outputs: result.outputs }
      },
      (error: unknown) => {
        subject.settled = { error }
      },
    )
  }

  #leave(at: number): void {
    this.subjects[at]?.controller.abort(`left ${at}`)
  }

  /** A run ends as the natures of its members would have it. */
  end(run: ControlledRun | undefined): void {
    if (run === undefined) return
    const subjects = this.#subjectsOf(run)
    if (subjects.some(({ nature }) => nature === "crashes")) this.#crash([run])
    else if (subjects.some(({ nature }) => nature === "fails")) run.fail(String(run.ids))
    else run.complete()
  }

  #crash(runs: Iterable<ControlledRun>): void {
    for (const run of [...runs]) {
      for (const subject of this.#subjectsOf(run)) subject.losses++
      run.lose()
    }
  }

  do(it: Command): Promise<void> | void {
    const runs = [...this.model.underWay]
    switch (it.do) {
      case "submit":
        return this.submit(it)
      case "abort":
        return this.#leave(this.subjects.length - 1 - it.at)
      case "pass":
        return pass(it.milliseconds)
      case "end":
        return this.end(runs[it.at])
      case "crash":
        this.#accidents++
        return this.#crash(runs)
      case "mix": {
        const run = runs[it.at]
        if (run === undefined || run.members.length === 1) return this.end(run)
        return run.complete({ double: rowsFrom(0, 99), first: rowsFrom(0, 99) })
      }
    }
  }

  /** Ends all that is under way, until nothing is. */
  async finish(): Promise<void> {
    for (let round = 0; round < 1000; round++) {
      await pass(1)
      if (this.model.underWay.size === 0 && this.subjects.every(({ settled }) => settled !== undefined))
        return
      for (const run of [...this.model.underWay]) this.end(run)
    }
    assert.fail("something stays outstanding")
  }

  /** Whether each request got what it had to. */
  verify(): void {
    for (const violation of this.#violations) throw violation
    for (const [at, subject] of this.subjects.entries()) {
      const { settled, nature, outputs, controller } = subject
      assert.isDefined(settled)
      if ("outputs" in settled) {
        assert.strictEqual(nature, "innocent")
        assert.deepStrictEqual(settled.outputs, answerTo([{ x: subject.x }], outputs))
        assert.deepStrictEqual(Object.keys(settled.outputs).sort(), [...outputs].sort())
      } else if (settled.error === `left ${at}`) assert.isTrue(controller.signal.aborted)
      else this.#verifyFailure(subject, settled.error)
      assert.lengthOf(getEventListeners(controller.signal, "abort"), 0)
    }
  }

  #verifyFailure(subject: Subject, error: unknown): void {
    if (!(error instanceof RuntimeError || error instanceof InferenceError)) throw error
    const { reason } = error
    if (reason._tag === "DeadlineExceeded") assert.isAtLeast(performance.now(), subject.deadline)
    else if (reason._tag === "RunFailed") {
      assert.strictEqual(subject.nature, "fails")
      assert.strictEqual(reason.detail, String(subject.x.data[0]), "it fails alone")
    } else {
      assert.strictEqual(reason._tag, "RunnerLost")
      assert.strictEqual(subject.losses, 2)
      assert.isTrue(
        subject.nature === "crashes" || this.#accidents > 0,
        "innocents survive the crashes of others",
      )
    }
  }
}

it("any interleaving gives each request what it would get alone, or what is its own fault or its caller's", async () => {
  const seen = { answered: 0, left: 0, joined: 0, DeadlineExceeded: 0, RunFailed: 0, RunnerLost: 0 }
  await fc.assert(
    fc.asyncProperty(scenario, async ({ concurrency, maxBatchSize, maxDelayMs, commands }) => {
      const trial = new Trial(concurrency, maxBatchSize, maxDelayMs)
      for (const it of commands) await trial.do(it)
      await trial.finish()
      trial.verify()
      await pass(50)
      assert.strictEqual(vi.getTimerCount(), 0)
      for (const { settled } of trial.subjects) {
        if (settled === undefined || "outputs" in settled) seen.answered++
        else if (typeof settled.error === "string") seen.left++
        else if (settled.error instanceof RuntimeError || settled.error instanceof InferenceError)
          seen[settled.error.reason._tag as keyof typeof seen]++
      }
      seen.joined += trial.model.runs.filter(({ members }) => members.length > 1).length
    }),
    { numRuns: 300 },
  )
  // All that may happen did, or the property says little.
  for (const [what, times] of Object.entries(seen)) assert.isAbove(times, 20, what)
})
