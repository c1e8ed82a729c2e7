import { type Duplex, duplexPair } from "node:stream"
import { assert, describe, it } from "@effect/vitest"
import { RuntimeError, type Tensors } from "@modelforge/core"
import { type OpenSession, SessionError } from "../../src/runner/OrtSession.ts"
import { serveRunner } from "../../src/runner/RunnerHost.ts"
import { RunnerGone, RunnerLink } from "../../src/runtime/RunnerLink.ts"
import { frameKind } from "../../src/wire/Frame.ts"
import { PayloadWriter } from "../../src/wire/Payload.ts"

const value = (number: number): Tensors => ({
  x: { datatype: "INT32", shape: [1], data: Int32Array.of(number) },
})

const reasonOf = async (promise: Promise<unknown>): Promise<string> => {
  const error = await promise.then(
    () => assert.fail("it did not reject"),
    (cause: unknown) => cause,
  )
  assert.instanceOf(error, RuntimeError)
  return `${error.reason._tag}: ${"detail" in error.reason ? error.reason.detail : ""}`
}

/** A host whose models give back their input as `y`, when they are let. */
const connect = () => {
  const log: Array<string> = []
  let openGate: () => void = () => {}
  const gate = new Promise<void>((resolve) => {
    openGate = resolve
  })
  const openSession: OpenSession = (file, { intraOpThreads }) => {
    log.push(`open ${file} ${intraOpThreads}`)
    if (file === "none") return Promise.reject(new SessionError("unavailable", "not installed"))
    if (file === "odd") return Promise.reject("a text")
    if (file === "bad") return Promise.reject(new SessionError("refused", "bad file"))
    return Promise.resolve({
      inputNames: ["x"],
      outputNames: ["y"],
      run: async ({ x }, outputs) => {
        log.push(`run ${x?.data[0]} ${outputs.join()}`)
        await gate
        if (x === undefined) throw new SessionError("refused", "no input")
        return { outputs: { y: x }, startedAt: 5, computeMs: 2.5 }
      },
      release: () => {
        log.push(`release ${file}`)
        return Promise.resolve()
      },
    })
  }
  const [near, far]: [Duplex, Duplex] = duplexPair()
  const ended = new Promise<void>((resolve) =>
    serveRunner(far, openSession, () => {
      log.push("ended")
      resolve()
    }),
  )
  return { link: new RunnerLink(near), near, far, log, ended, open: openGate }
}

describe("a runner and its host", () => {
  it("load, run and release, in the order of the requests", async () => {
    const { link, log, open } = connect()
    open()
    await link.ready
    const { handle, names } = await link.load("m", 3)
    assert.deepStrictEqual(names, { inputs: ["x"], outputs: ["y"] })
    const runs = [1, 2, 3].map((number) => link.run(handle, [value(number)], ["y"]))
    const released = link.release(handle)
    const late = link.run(handle, [value(4)], ["y"])
    const results = await Promise.all(runs)
    assert.deepStrictEqual(
      results.map(({ outputs }) => outputs["y"]?.data[0]),
      [1, 2, 3],
    )
    assert.deepStrictEqual(
      results.map(({ queueMs, computeMs }) => [queueMs, computeMs]),
      [
        [0, 2.5],
        [0, 2.5],
        [0, 2.5],
      ],
    )
    await released
    assert.strictEqual(await reasonOf(late), "RunFailed: the model is not loaded")
    assert.deepStrictEqual(log, ["open m 3", "run 1 y", "run 2 y", "run 3 y", "release m"])
    assert.strictEqual(link.pending, 0)
    await link.release(99)
  })

  it("tell a refused model from a runtime that is not there", async () => {
    const { link } = connect()
    assert.strictEqual(await reasonOf(link.load("none", 1)), "RunnerUnavailable: not installed")
    assert.strictEqual(await reasonOf(link.load("bad", 1)), "LoadFailed: bad file")
    assert.strictEqual(await reasonOf(link.load("odd", 1)), "LoadFailed: a text")
  })

  it("fail what waits when the runner is lost, and name the one it was at work on", async () => {
    const { link } = connect()
    const { handle } = await link.load("m", 1)
    const waiting = [link.run(handle, [value(1)], ["y"]), link.run(handle, [value(2)], ["y"])]
    const released = link.release(handle)
    link.lose("signal SIGSEGV")
    link.lose("again")
    const outcomes = await Promise.all(waiting.map((promise) => promise.catch((cause: unknown) => cause)))
    assert.deepStrictEqual(
      outcomes.map((gone) => gone instanceof RunnerGone && [gone.detail, gone.culprit]),
      [
        ["signal SIGSEGV", true],
        ["signal SIGSEGV", false],
      ],
    )
    await released
    assert.isFalse(link.alive)
    const late = await link.run(handle, [value(3)], ["y"]).catch((cause: unknown) => cause)
    assert.instanceOf(late, RunnerGone)
    assert.isFalse(late.culprit)
  })

  it("end when the other side does", async () => {
    const { near, ended, log } = connect()
    near.end()
    await ended
    near.destroy()
    assert.deepStrictEqual(log, ["ended"])
  })

  it("end the connection at the first frame that makes no sense", async () => {
    for (const kind of [99, frameKind.run]) {
      const { near, ended } = connect()
      new PayloadWriter().send(near, kind, 1)
      await ended
    }
    for (const [kind, id] of [
      [frameKind.loaded, 42],
      [frameKind.ran, 1],
    ] as const) {
      const { link, near, far } = connect()
      const load = link.load("bad", 1)
      const closed = new Promise((resolve) => near.once("close", resolve))
      new PayloadWriter().send(far, kind, id)
      await closed
      link.lose("it spoke nonsense")
      const gone = await load.catch((cause: unknown) => cause)
      assert.instanceOf(gone, RunnerGone)
    }
  })
})
