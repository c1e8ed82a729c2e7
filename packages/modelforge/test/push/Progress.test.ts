import { assert, describe, it } from "@effect/vitest"
import { Effect, Sink, Stdio } from "effect"
import { TestClock } from "effect/testing"
import { formatBytes, makeProgress, progressLine } from "../../src/push/Progress.ts"

describe("the line of progress", () => {
  it("has bytes with three digits", () => {
    for (const [bytes, text] of [
      [0, "0 bytes"],
      [999, "999 bytes"],
      [1000, "1.00 kB"],
      [12_345, "12.3 kB"],
      [999_499, "999 kB"],
      [999_500, "1.00 MB"],
      [840_000_000, "840 MB"],
      [2_147_483_647, "2.15 GB"],
      [5_000_000_000_000_000, "5000 TB"],
    ] as const)
      assert.strictEqual(formatBytes(bytes), text)
  })

  it("says how far it is, how fast, and how long it takes", () => {
    const moment = {
      name: "wine.onnx",
      phase: "sending",
      size: 2_000_000_000,
      bytesPerSecond: undefined,
    } as const
    const line = (change: Partial<Parameters<typeof progressLine>[0]>) =>
      progressLine({ ...moment, position: 0, ...change })
    assert.strictEqual(line({ phase: "reading", position: 10 ** 9 }), "wine.onnx: reading, 50 % of 2.00 GB")
    assert.strictEqual(line({}), "wine.onnx: 0 % of 2.00 GB")
    const fast = { position: 840_000_000, bytesPerSecond: 35_000_000 }
    assert.strictEqual(line(fast), "wine.onnx: 42 % of 2.00 GB, 35.0 MB/s, 0:34 left")
    assert.include(line({ bytesPerSecond: 1_000_000 }), ", 33:20 left")
    assert.include(line({ bytesPerSecond: 300_000 }), ", 1:51:07 left")
    assert.strictEqual(line({ position: 2_000_000_000 }), "wine.onnx: sent, the server tries it")
    assert.isBelow(line({ ...fast, name: "x".repeat(300) }).length, 90)
  })
})

/** Standard error as it was written. */
const terminal = (isTerminal: boolean) => {
  const written: Array<string> = []
  const layer = Stdio.layerTest({
    stderrIsTerminal: Effect.succeed(isTerminal),
    stderr: () => Sink.forEach((text) => Effect.sync(() => written.push(String(text)))),
  })
  return { written, layer }
}

describe("progress", () => {
  it.effect("is drawn at a terminal, and gone with its end", () =>
    Effect.gen(function* () {
      const { written, layer } = terminal(true)
      yield* Effect.gen(function* () {
        const progress = yield* makeProgress("wine.onnx", 1000)
        progress.read(500)
        yield* TestClock.adjust("250 millis")
        progress.reached(200)
        yield* TestClock.adjust("2 seconds")
        progress.sent(400)
        yield* TestClock.adjust("250 millis")
        yield* progress.tell("The connection was lost")
        // What was not kept is sent again, and the time before does not count.
        progress.reached(300)
        progress.sent(700)
        yield* TestClock.adjust("250 millis")
      }).pipe(Effect.scoped, Effect.provide(layer))
      const lines = written.map((text) => text.replace("\r\u001b[K", ""))
      assert.isTrue(written.every((text) => text.startsWith("\r\u001b[K")))
      assert.include(lines, "wine.onnx: reading, 50 % of 1.00 kB")
      assert.include(lines, "wine.onnx: 20 % of 1.00 kB")
      assert.include(lines, "wine.onnx: 60 % of 1.00 kB, 178 bytes/s, 0:03 left")
      assert.include(lines, "modelforge: The connection was lost\n")
      assert.include(lines, "wine.onnx: sent, the server tries it")
      assert.strictEqual(lines.at(-1), "")
    }),
  )

  it.effect("is silent elsewhere, but for what is worth a line", () =>
    Effect.gen(function* () {
      const { written, layer } = terminal(false)
      yield* Effect.gen(function* () {
        const progress = yield* makeProgress("wine.onnx", 1000)
        progress.read(500)
        progress.reached(0)
        yield* TestClock.adjust("10 seconds")
        yield* progress.tell("The connection was lost")
      }).pipe(Effect.scoped, Effect.provide(layer))
      assert.deepStrictEqual(written, ["modelforge: The connection was lost\n"])
    }),
  )
})
