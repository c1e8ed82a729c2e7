import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import { DescriptorConnection } from "../../src/runner/Connection.ts"
import { cut, frameKind, type OutgoingFrame, ProtocolError } from "../../src/wire/Frame.ts"
import { FrameReader } from "../../src/wire/FrameReader.ts"
import { PayloadReader, PayloadWriter } from "../../src/wire/Payload.ts"

// Files stand for the two directions: reading them never waits, and what was written can be looked at.
let folder = ""
const descriptors: Array<number> = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "modelforge-onnx-"))
})
afterEach(() => {
  for (const descriptor of descriptors.splice(0)) closeSync(descriptor)
  rmSync(folder, { recursive: true })
})

const open = (incoming: ReadonlyArray<Uint8Array>) => {
  writeFileSync(join(folder, "in"), Buffer.concat(incoming))
  const from = openSync(join(folder, "in"), "r")
  const to = openSync(join(folder, "out"), "w")
  descriptors.push(from, to)
  const connection = new DescriptorConnection(from, to)
  const written = () => {
    const frames: Array<readonly [number, number]> = []
    new FrameReader((_, id, payload) => frames.push([id, payload.length])).push(
      readFileSync(join(folder, "out")),
    )
    return frames
  }
  return { connection, written }
}

/** A frame of so many elements, each of which is its id. */
const frame = (id: number, count: number): OutgoingFrame =>
  new PayloadWriter()
    .tensors({ x: { datatype: "UINT32", shape: [count], data: new Uint32Array(count).fill(id) } })
    .frame(frameKind.run, id)

/** Ids and element counts of all that arrives; fails when an element is not of its frame. */
const receive = async (connection: DescriptorConnection) => {
  const seen: Array<readonly [number, number]> = []
  for (;;) {
    const next = await connection.next()
    if (next === undefined) return seen
    const data = new PayloadReader(next.payload).tensors()["x"]?.data ?? []
    assert.isTrue(Array.from(data, Number).every((element) => element === next.id))
    seen.push([next.id, data.length])
  }
}

/** Until what was given to other threads has been done. */
const turns = async (until: () => boolean) => {
  while (!until()) await new Promise(setImmediate)
}

describe("a runner's connection", () => {
  it("receives frames of all sizes, one after another", async () => {
    const sizes = [1, 3000, 16_000, 16_370, 16_384, 100_000, 2, 90_000, 200_000, 0, 5]
    const { connection } = open(sizes.flatMap((count, id) => frame(id, count).chunks))
    assert.deepStrictEqual(
      await receive(connection),
      sizes.map((count, id) => [id, count]),
    )
  })

  it("receives frames whose parts take turns, each when its last part is there", async () => {
    const [a = [], b = []] = [frame(1, 50_000), frame(2, 40_000)].map((large) => cut(large, 64 * 1024))
    const parts = [a[0], b[0], a[1], frame(3, 2).chunks, b[1], a[2], b[2], a[3]].flatMap((part) => part ?? [])
    const { connection } = open(parts)
    assert.deepStrictEqual(await receive(connection), [
      [3, 2],
      [2, 40_000],
      [1, 50_000],
    ])
  })

  it("uses the memory of a large frame again for the next one", async () => {
    const { connection } = open([frame(1, 100_000), frame(2, 90_000)].flatMap(({ chunks }) => chunks))
    const first = await connection.next()
    const second = await connection.next()
    assert.isDefined(first)
    assert.strictEqual(first.payload.buffer, second?.payload.buffer)
  })

  it("ends where the host's bytes do, be it in the middle of a frame", async () => {
    for (const count of [10, 100_000]) {
      const bytes = Buffer.concat(frame(1, count).chunks)
      for (const length of [0, 10, 16, 40, bytes.length - 8]) {
        const { connection } = open([bytes.subarray(0, length)])
        assert.isUndefined(await connection.next())
      }
    }
  })

  it("refuses bytes that are no frame", async () => {
    const { connection } = open([Buffer.alloc(64, 0xff)])
    const error = await connection.next().catch((cause: unknown) => cause)
    assert.instanceOf(error, ProtocolError)
  })

  it("has written an answer when it was sent", () => {
    const { connection, written } = open([])
    for (const [id, count] of [1, 10_000, 1_000_000].entries()) connection.send(frame(id, count))
    assert.deepStrictEqual(
      written().map(([id]) => id),
      [0, 1, 2],
    )
  })

  it("goes on receiving and answering while very large answers are on their way", async () => {
    const { connection, written } = open([frame(7, 10), frame(8, 100_000)].flatMap(({ chunks }) => chunks))
    const counts = [7_000_000, 3_000_000]
    for (const [id, count] of counts.entries()) connection.send(frame(id, count))
    connection.send(frame(2, 1))
    assert.strictEqual((await connection.next())?.id, 7)
    assert.strictEqual((await connection.next())?.id, 8)
    await turns(() => written().length === 3)
    // The small one was sent last; of the large ones, the one with fewer parts arrives first.
    assert.deepStrictEqual(
      written().map(([id]) => id),
      [2, 1, 0],
    )
    connection.send(frame(3, 1))
    await turns(() => written().length === 4)
    assert.strictEqual(written().at(-1)?.[0], 3)
  })
})
