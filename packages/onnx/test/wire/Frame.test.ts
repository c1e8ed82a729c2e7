import { assert, describe, it } from "@effect/vitest"
import type { Tensors } from "@modelforge/core"
import { FrameReader, frameKind, ProtocolError, writeHeader } from "../../src/wire/Frame.ts"
import { UnsendableInputs } from "../../src/wire/Members.ts"
import { PayloadReader, PayloadWriter } from "../../src/wire/Payload.ts"
import { chunks, random } from "../random.ts"

/** Collects what is written, as a socket would carry it. */
const sink = () => {
  const written: Array<Buffer> = []
  return {
    cork: () => {},
    uncork: () => {},
    write: (bytes: Uint8Array) => {
      written.push(Buffer.from(bytes))
      return true
    },
    bytes: () => Buffer.concat(written),
  }
}

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
      : tensor.data,
  ])

const { large: _, ...small } = tensors

describe("frames", () => {
  it("arrive whole however they are cut", () => {
    const stream = sink()
    new PayloadWriter()
      .uint(7)
      .texts(["a", "ß".repeat(2000)])
      .tensors(tensors)
      .send(stream, frameKind.run, 0xffffffff)
    new PayloadWriter().send(stream, frameKind.ready, 0)
    new PayloadWriter().double(0.1).tensors(small).send(stream, frameKind.ran, 12)
    const bytes = stream.bytes()
    for (let seed = 0; seed < 60; seed++) {
      const frames: Array<unknown> = []
      const reader = new FrameReader((kind, id, payload) => {
        const read = new PayloadReader(payload)
        if (kind === frameKind.run) frames.push([kind, id, read.uint(), read.texts(), plain(read.tensors())])
        else if (kind === frameKind.ran) frames.push([kind, id, read.double(), plain(read.tensors())])
        else frames.push([kind, id, payload.length])
      })
      for (const chunk of chunks(bytes, random(seed))) reader.push(chunk)
      assert.deepStrictEqual(
        frames,
        [
          [frameKind.run, 0xffffffff, 7, ["a", "ß".repeat(2000)], plain(tensors)],
          [frameKind.ready, 0, 0],
          [frameKind.ran, 12, 0.1, plain(small)],
        ],
        `seed ${seed}`,
      )
    }
  })

  it("keep the elements of large tensors where they lie", () => {
    const data = new Float32Array(20_000)
    const written: Array<Uint8Array> = []
    new PayloadWriter()
      .tensors({ x: { datatype: "FP32", shape: [20_000], data } })
      .send({ cork: () => {}, uncork: () => {}, write: (bytes) => written.push(bytes) > 0 }, frameKind.run, 1)
    assert.isTrue(written.some((bytes) => bytes.buffer === data.buffer))
  })

  it("can't be larger than what one frame announces", () => {
    // Never touched, so it takes no memory.
    const data = new Uint8Array(2 ** 31)
    const writer = new PayloadWriter().tensors({ x: { datatype: "UINT8", shape: [data.length], data } })
    assert.throws(
      () => writer.send(sink(), frameKind.run, 1),
      UnsendableInputs,
      /more than a runner can be sent/,
    )
  })

  it("are refused when their header is damaged", () => {
    const header = Buffer.alloc(16)
    writeHeader(header, frameKind.run, 1, 10)
    header.writeUInt32LE(1, 12)
    assert.throws(() => new FrameReader(() => {}).push(header), ProtocolError)
    header.writeUInt32LE(0, 12)
    header.writeUInt32LE(0xffffffff, 0)
    assert.throws(() => new FrameReader(() => {}).push(header), ProtocolError)
  })

  it("never read beyond a payload, whatever it says", () => {
    const stream = sink()
    new PayloadWriter().tensors(small).send(stream, frameKind.ran, 1)
    const payload = stream.bytes().subarray(16)
    for (let length = 0; length < payload.length - 8; length++) {
      const cut = Buffer.allocUnsafeSlow(length)
      payload.copy(cut)
      assert.throws(() => new PayloadReader(cut).tensors())
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
