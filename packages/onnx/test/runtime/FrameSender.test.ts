import { Writable } from "node:stream"
import { assert, describe, it } from "@effect/vitest"
import { FrameSender } from "../../src/runtime/FrameSender.ts"
import { frameKind, type OutgoingFrame, partBytes } from "../../src/wire/Frame.ts"
import { FrameReader } from "../../src/wire/FrameReader.ts"
import { PayloadWriter } from "../../src/wire/Payload.ts"

const frame = (id: number, bytes: number): OutgoingFrame =>
  new PayloadWriter()
    .tensors({ x: { datatype: "UINT8", shape: [bytes], data: new Uint8Array(bytes) } })
    .frame(frameKind.run, id)

/** A stream that takes a write only when it is let, and what arrived through it. */
const slowStream = () => {
  const takes: Array<(error?: Error) => void> = []
  const arrived: Array<number> = []
  const reader = new FrameReader((_, id) => arrived.push(id))
  let writes = 0
  const take = (chunks: ReadonlyArray<Buffer>, done: (error?: Error) => void) => {
    writes++
    takes.push((error) => {
      if (error === undefined) for (const chunk of chunks) reader.push(chunk)
      done(error)
    })
  }
  const stream = new Writable({
    write: (chunk, _, done) => take([chunk], done),
    writev: (chunks, done) =>
      take(
        chunks.map(({ chunk }) => chunk),
        done,
      ),
  }).on("error", () => {})
  const turn = () => new Promise(setImmediate)
  return {
    stream,
    arrived,
    turn,
    writes: () => writes,
    /** Lets the stream take what it was given. */
    release: async (error?: Error) => {
      await turn()
      takes.shift()?.(error)
      await turn()
    },
  }
}

describe("FrameSender", () => {
  it("sends everything of one turn in one write", async () => {
    const { stream, arrived, release, writes } = slowStream()
    const sender = new FrameSender(stream)
    const sent: Array<number> = []
    for (const id of [1, 2, 3]) sender.send(frame(id, 100), () => sent.push(id))
    assert.deepStrictEqual(sent, [1, 2, 3])
    await release()
    assert.deepStrictEqual([arrived, writes()], [[1, 2, 3], 1])
  })

  it("lets small frames go between the parts of large ones, which take turns", async () => {
    const { stream, arrived, release } = slowStream()
    const sender = new FrameSender(stream)
    const sent: Array<number> = []
    const send = (id: number, bytes: number) => sender.send(frame(id, bytes), () => sent.push(id))
    send(1, 5 * partBytes)
    send(2, 2 * partBytes)
    send(3, 10)
    // One part of the first and the small frame.
    await release()
    assert.deepStrictEqual(arrived, [3])
    send(4, 10)
    await release()
    await release()
    assert.deepStrictEqual(arrived, [3, 4])
    for (let count = 0; count < 7; count++) await release()
    assert.deepStrictEqual(arrived, [3, 4, 2, 1])
    assert.deepStrictEqual(sent, [3, 4, 2, 1])
    // And nothing is left behind for the next one.
    send(5, 2 * partBytes)
    for (let count = 0; count < 3; count++) await release()
    assert.strictEqual(arrived.at(-1), 5)
  })

  it("sends nothing more of what was underway when the connection broke", async () => {
    const { stream, arrived, release } = slowStream()
    const sender = new FrameSender(stream)
    let sent = 0
    sender.send(frame(1, 3 * partBytes), () => sent++)
    sender.send(frame(2, 3 * partBytes), () => sent++)
    await release(new Error("broken"))
    await release()
    assert.deepStrictEqual([sent, arrived], [0, []])
    assert.isTrue(stream.destroyed)
  })
})
