import { assert, describe, it } from "@effect/vitest"
import type { Tensors } from "@modelforge/core"
import { random } from "../../../core/test/random.ts"
import {
  cut,
  frameKind,
  headerBytes,
  type OutgoingFrame,
  ProtocolError,
  writeHeader,
} from "../../src/wire/Frame.ts"
import { FrameReader } from "../../src/wire/FrameReader.ts"
import { joinMembers, UnsendableInputs } from "../../src/wire/Members.ts"
import { PayloadReader, PayloadWriter } from "../../src/wire/Payload.ts"
import { chunks } from "../chunks.ts"

const bytesOf = ({ chunks }: OutgoingFrame): Buffer => Buffer.concat(chunks)

const tensors: Tensors = {
  scalar: { datatype: "FP64", shape: [], data: Float64Array.of(Math.PI) },
  "naïve 名": { datatype: "INT8", shape: [3], data: Int8Array.of(-1, 0, 1) },
  big: { datatype: "INT64", shape: [2, 2], data: BigInt64Array.of(-1n, 2n ** 62n, 0n, 5n) },
  large: { datatype: "UINT16", shape: [40_001], data: Uint16Array.from({ length: 40_001 }, (_, at) => at) },
  texts: { datatype: "BYTES", shape: [3], data: [Buffer.from(""), Buffer.from("é"), Buffer.of(0, 255)] },
  none: { datatype: "BYTES", shape: [2, 0], data: [] },
  empty: { datatype: "BOOL", shape: [0], data: new Uint8Array(0) },
}

const plain = (value: Tensors) =>
  Object.entries(value).map(([name, tensor]) => [
    name,
    tensor.datatype,
    tensor.shape,
    tensor.datatype === "BYTES"
      ? tensor.data.map((element) => Buffer.from(element).toString("hex"))
      : Buffer.from(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength).toString("hex"),
  ])

const { large: _, ...small } = tensors

const isReady = (frame: unknown) => Array.isArray(frame) && frame[0] === frameKind.ready

/** The frames of these bytes, read in chunks of random sizes. */
const readAll = (bytes: Uint8Array, seed: number): Array<unknown> => {
  const frames: Array<unknown> = []
  const reader = new FrameReader((kind, id, payload) => {
    const read = new PayloadReader(payload)
    if (kind === frameKind.run) frames.push([kind, id, read.uint(), read.texts(), plain(read.tensors())])
    else if (kind === frameKind.ran) frames.push([kind, id, read.double(), plain(read.tensors())])
    else frames.push([kind, id, payload.length])
  })
  for (const chunk of chunks(bytes, random(seed))) reader.push(Buffer.from(chunk))
  return frames
}

const runFrame = (id: number) =>
  new PayloadWriter()
    .uint(7)
    .texts(["a", "ß".repeat(2000)])
    .tensors(tensors)
    .frame(frameKind.run, id)

describe("frames", () => {
  it("arrive whole however they are cut", () => {
    const bytes = Buffer.concat([
      bytesOf(runFrame(0xffffffff)),
      bytesOf(new PayloadWriter().frame(frameKind.ready, 0)),
      bytesOf(new PayloadWriter().double(0.1).tensors(small).frame(frameKind.ran, 12)),
    ])
    for (let seed = 0; seed < 25; seed++) {
      assert.deepStrictEqual(
        readAll(bytes, seed),
        [
          [frameKind.run, 0xffffffff, 7, ["a", "ß".repeat(2000)], plain(tensors)],
          [frameKind.ready, 0, 0],
          [frameKind.ran, 12, 0.1, plain(small)],
        ],
        `seed ${seed}`,
      )
    }
  })

  it("arrive whole when parts of several take turns with others", () => {
    for (let seed = 0; seed < 12; seed++) {
      const { int } = random(seed)
      const bytes = 8 * (100 + int(4000))
      const underway = [1, 2, 3].map((id) => cut(runFrame(id), bytes))
      const sent: Array<Uint8Array> = []
      const finished: Array<number> = []
      while (finished.length < 3) {
        const index = int(3)
        const part = underway[index]?.shift()
        if (part === undefined) continue
        sent.push(...part)
        if (underway[index]?.length === 0) finished.push(index + 1)
        if (int(4) === 0) sent.push(...new PayloadWriter().frame(frameKind.ready, 9).chunks)
      }
      const frames = readAll(Buffer.concat(sent), seed).filter((frame) => !isReady(frame))
      assert.deepStrictEqual(
        frames,
        finished.map((id) => [frameKind.run, id, 7, ["a", "ß".repeat(2000)], plain(tensors)]),
        `seed ${seed}`,
      )
    }
  })

  it("are cut into parts of the size that is given", () => {
    const frame = runFrame(1)
    const parts = cut(frame, 1024)
    assert.lengthOf(parts, Math.ceil(frame.total / 1024))
    const sizes = parts.map((part) => Buffer.concat(part).length - headerBytes)
    assert.isTrue(sizes.slice(0, -1).every((size) => size === 1024))
    assert.strictEqual(
      sizes.reduce((sum, size) => sum + size),
      frame.total,
    )
    assert.isFalse(parts.flat().some((chunk) => chunk.length === 0))
  })

  it("keep the elements of large tensors where they lie, those of joined requests too", () => {
    const members = [1, 2].map((rows): Tensors => {
      const data = new Float32Array(20_000 * rows)
      return { x: { datatype: "FP32", shape: [20_000 * rows], data } }
    })
    const { chunks: sent } = new PayloadWriter().joined(members).frame(frameKind.run, 1)
    for (const { x } of members) {
      assert.isTrue(sent.some(({ buffer }) => x?.datatype === "FP32" && buffer === x.data.buffer))
    }
  })

  it("join the tensors of several requests into one each, as joining them by a copy does", () => {
    const rows = (count: number, seed: number): Tensors => {
      const { int } = random(seed)
      const texts = Array.from({ length: count * 2 }, () => Buffer.from("x".repeat(int(40))))
      return {
        narrow: {
          datatype: "INT8",
          shape: [count, 3],
          data: Int8Array.from({ length: count * 3 }, () => int(100)),
        },
        wide: {
          datatype: "FP64",
          shape: [count],
          data: Float64Array.from({ length: count }, () => int(1e6)),
        },
        texts: { datatype: "BYTES", shape: [count, 2], data: texts },
        large: { datatype: "UINT16", shape: [count, 5001], data: new Uint16Array(count * 5001).fill(seed) },
      }
    }
    for (let seed = 0; seed < 20; seed++) {
      const { int } = random(seed)
      const members = Array.from({ length: 1 + int(5) }, (_, index) => rows(int(4), seed * 10 + index))
      const frame = bytesOf(new PayloadWriter().joined(members).frame(frameKind.run, 1))
      const payload = Buffer.allocUnsafeSlow(frame.length - headerBytes)
      frame.copy(payload, 0, headerBytes)
      assert.deepStrictEqual(
        plain(new PayloadReader(payload).tensors()),
        plain(joinMembers(members)),
        `seed ${seed}`,
      )
    }
  })

  it("can't be larger than what one frame announces", () => {
    // Never touched, so it takes no memory.
    const data = new Uint8Array(2 ** 31)
    const writer = new PayloadWriter().tensors({ x: { datatype: "UINT8", shape: [data.length], data } })
    assert.throws(() => writer.frame(frameKind.run, 1), UnsendableInputs, /more than can be sent/)
  })

  it("are refused when their header is damaged, or their parts don't fit", () => {
    const header = (length: number, total: number) => {
      const bytes = Buffer.alloc(headerBytes)
      writeHeader(bytes, { length, kind: frameKind.run, id: 1, total })
      return bytes
    }
    const push = (...bytes: ReadonlyArray<Buffer>) => {
      const reader = new FrameReader(() => assert.fail("no frame was complete"))
      return () => {
        for (const part of bytes) reader.push(part)
      }
    }
    assert.throws(push(header(16, 8)), ProtocolError)
    assert.throws(push(header(4, 8)), ProtocolError)
    assert.throws(push(header(8, 0xfffffff8)), ProtocolError)
    const first = [header(8, 16), Buffer.alloc(8)] as const
    assert.throws(push(...first, header(8, 24)), ProtocolError)
    assert.throws(push(...first, header(16, 16)), ProtocolError)
  })

  it("never read beyond a payload, whatever it says", () => {
    const payload = bytesOf(new PayloadWriter().tensors(small).frame(frameKind.ran, 1)).subarray(headerBytes)
    for (let length = 0; length < payload.length - 8; length++) {
      const cutOff = Buffer.allocUnsafeSlow(length)
      payload.copy(cutOff)
      assert.throws(() => new PayloadReader(cutOff).tensors())
    }
    for (let seed = 0; seed < 2000; seed++) {
      const { int } = random(seed)
      const damaged = Buffer.allocUnsafeSlow(payload.length)
      payload.copy(damaged)
      for (let times = 1 + int(4); times > 0; times--) damaged[int(damaged.length)] = int(256)
      try {
        new PayloadReader(damaged).tensors()
      } catch (error) {
        assert.instanceOf(error, ProtocolError, `seed ${seed}`)
      }
    }
  })
})
