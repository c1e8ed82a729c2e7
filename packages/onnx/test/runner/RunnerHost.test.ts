import { type Duplex, duplexPair } from "node:stream"
import { assert, describe, it } from "@effect/vitest"
import { RunTimedOut, RuntimeError, type Tensors } from "@modelforge/core"
import type { Connection, IncomingFrame } from "../../src/runner/Connection.ts"
import { type OpenSession, SessionError } from "../../src/runner/OrtSession.ts"
import { serveRunner } from "../../src/runner/RunnerHost.ts"
import { RunnerGone, RunnerLink } from "../../src/runtime/RunnerLink.ts"
import { frameKind } from "../../src/wire/Frame.ts"
import { FrameReader } from "../../src/wire/FrameReader.ts"
import { monotonicMs } from "../../src/wire/monotonicMs.ts"
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

/** What the runner has on a descriptor, on a stream. */
const streamConnection = (stream: Duplex): Connection => {
  const arrived: Array<IncomingFrame> = []
  let wake: () => void = () => {}
  let ended = false
  const reader = new FrameReader((kind, id, payload) => {
    arrived.push({ kind, id, payload })
    wake()
  })
  stream.on("data", (chunk: Buffer) => reader.push(chunk))
  stream.on("end", () => {
    ended = true
    wake()
  })
  return {
    next: async () => {
      while (arrived.length === 0 && !ended) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
      return arrived.shift()
    },
    send: ({ chunks }) => {
      for (const chunk of chunks) stream.write(chunk)
    },
  }
}

/** Sends a frame without a payload. */
const sendBare = (stream: Duplex, kind: number, id: number) => {
  for (const chunk of new PayloadWriter().frame(kind, id).chunks) stream.write(chunk)
}

/** A host whose models give back their input as `y`, when they are let. */
const connect = (residentBytes: () => number = () => 0) => {
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
      grownBytes: () => 1000 * file.length,
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
  const ended = serveRunner(streamConnection(far), openSession, residentBytes).then(
    () => "left",
    (cause: unknown) => String(cause),
  )
  const link = new RunnerLink(near)
  near.on("data", (chunk: Buffer) => link.read(chunk))
  return { link, near, far, log, ended, open: openGate }
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

  it("tell what a model takes, and what the runner holds for none", async () => {
    let resident = 50_000
    const { link } = connect(() => resident)
    const a = await link.load("a", 1)
    const b = await link.load("bbb", 1)
    assert.strictEqual(await link.measure(a.handle), 1000)
    assert.strictEqual(await link.measure(b.handle), 3000)
    assert.strictEqual(await link.measure(99), 0)
    // 7000 since the start, of which `bbb` accounts for 3000.
    resident += 7000
    assert.strictEqual(await link.release(a.handle), 4000)
    resident -= 6000
    assert.strictEqual(await link.release(b.handle), 1000)
    resident = 0
    assert.strictEqual(await link.release(b.handle), 0)
  })

  it("part when the runner retires, once all is answered", async () => {
    const { link, ended, open } = connect()
    const { handle } = await link.load("m", 1)
    const run = link.run(handle, [value(1)], ["y"])
    link.retire()
    assert.isFalse(link.alive)
    open()
    assert.deepStrictEqual((await run).outputs["y"]?.data, Int32Array.of(1))
    assert.strictEqual(await ended, "left")
  })

  it("part at once when a runner retires that has nothing to do", async () => {
    const { link, ended } = connect()
    link.retire()
    assert.strictEqual(await ended, "left")
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

  it("end when the host leaves", async () => {
    const { near, ended } = connect()
    near.end()
    assert.strictEqual(await ended, "left")
  })

  it("end the connection at the first frame that makes no sense", async () => {
    for (const kind of [99, frameKind.run]) {
      const { near, ended } = connect()
      sendBare(near, kind, 1)
      assert.match(await ended, /ProtocolError/)
    }
    for (const [kind, id] of [
      [frameKind.loaded, 42],
      [frameKind.ran, 1],
    ] as const) {
      const { link, near, far } = connect()
      const load = link.load("bad", 1)
      const closed = new Promise((resolve) => near.once("close", resolve))
      sendBare(far, kind, id)
      await closed
      link.lose("it spoke nonsense")
      const gone = await load.catch((cause: unknown) => cause)
      assert.instanceOf(gone, RunnerGone)
    }
  })

  it("end for a verdict on the run at work, which alone is told it", async () => {
    const { link } = connect()
    const { handle } = await link.load("m", 1)
    const waiting = [1, 2].map((number) => link.run(handle, [value(number)], ["y"]))
    const verdict = new RuntimeError({ reason: new RunTimedOut({ limitMs: 5 }) })
    assert.isTrue(link.alive)
    link.condemn(verdict)
    link.condemn(new RuntimeError({ reason: new RunTimedOut({ limitMs: 6 }) }))
    assert.isFalse(link.alive)
    link.lose("signal SIGKILL")
    const outcomes = await Promise.all(waiting.map((promise) => promise.catch((cause: unknown) => cause)))
    assert.deepStrictEqual(
      outcomes.map((gone) => gone instanceof RunnerGone && [gone.culprit, gone.verdict]),
      [
        [true, verdict],
        [false, undefined],
      ],
    )
  })

  it("blame nothing when the condemned run was answered after all", async () => {
    const { link, open } = connect()
    const { handle } = await link.load("m", 1)
    const waiting = [1, 2].map((number) => link.run(handle, [value(number)], ["y"]))
    link.condemn(new RuntimeError({ reason: new RunTimedOut({ limitMs: 5 }) }))
    open()
    await waiting[0]
    link.lose("signal SIGKILL")
    const gone = await waiting[1]?.catch((cause: unknown) => cause)
    assert.instanceOf(gone, RunnerGone)
    assert.isFalse(gone.culprit)
    assert.isUndefined(gone.verdict)
  })

  it("know what is at work, for how long, and who waits behind it", async () => {
    const { link, open } = connect()
    assert.strictEqual(link.workingMs(monotonicMs()), 0)
    assert.strictEqual(link.limitMs, Number.POSITIVE_INFINITY)
    const { handle } = await link.load("m", 1)
    const stalled: Array<number> = []
    const runs = [1, 2, 3].map((number) =>
      link.run(handle, [value(number)], ["y"], {
        limitMs: number * 10,
        onStalled: () => stalled.push(number),
      }),
    )
    assert.strictEqual(link.limitMs, 10)
    assert.isTrue(link.isAtWorkOn(handle))
    assert.isFalse(link.isAtWorkOn(handle + 1))
    assert.isAbove(link.workingMs(monotonicMs() + 100), 99)
    link.reportStall()
    assert.deepStrictEqual(stalled, [2, 3])
    open()
    await Promise.all(runs)
    assert.strictEqual(link.workingMs(monotonicMs()), 0)
  })

  it("answer small runs while a large one is on its way, in parts", async () => {
    const { link, open } = connect()
    open()
    const { handle } = await link.load("m", 1)
    const data = Int32Array.from({ length: 500_000 }, (_, index) => index)
    const order: Array<string> = []
    const large = link
      .run(handle, [{ x: { datatype: "INT32", shape: [data.length], data } }], ["y"])
      .then(({ outputs }) => {
        order.push("large")
        return outputs["y"]
      })
    // It is not at work on what has not arrived.
    assert.strictEqual(link.workingMs(monotonicMs()), 0)
    const small = link.run(handle, [value(1)], ["y"]).then(() => order.push("small"))
    assert.deepStrictEqual((await large)?.data, data)
    await small
    assert.deepStrictEqual(order, ["small", "large"])
  })

  it("fail what can't be sent, without harm to others", async () => {
    const { link, open } = connect()
    open()
    const { handle } = await link.load("m", 1)
    const scalar: Tensors = { x: { datatype: "INT32", shape: [], data: Int32Array.of(1) } }
    for (const [members, says] of [
      [[scalar, scalar], /scalar/],
      [[value(1), {}], /missing/],
      [[{ x: { datatype: "INT32", shape: [2], data: Int32Array.of(1) } }], /as many elements/],
      [[value(1), { x: { datatype: "INT8", shape: [1], data: Int8Array.of(1) } }], /differs/],
    ] as const) {
      assert.match(await reasonOf(link.run(handle, members, ["y"])), says)
    }
    const { outputs } = await link.run(handle, [value(1), value(2)], ["y"])
    assert.deepStrictEqual(outputs["y"], { datatype: "INT32", shape: [2], data: Int32Array.of(1, 2) })
  })
})
