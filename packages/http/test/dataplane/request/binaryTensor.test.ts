import { assert, describe, it } from "@effect/vitest"
import { allocate, byteWidth, Datatype, type Tensor } from "@modelforge/core"
import { Result } from "effect"
import { random } from "../../../../core/test/random.ts"
import { fromBytes, toBytes } from "../../../src/dataplane/request/binaryTensor.ts"
import { sampleShape, sampleTensor } from "../Samples.ts"

/** The same bytes, so many behind a multiple of 8. */
const placed = (bytes: Uint8Array, offset: number): Uint8Array => {
  const memory = new Uint8Array(16 + bytes.length)
  memory.set(bytes, 8 + offset)
  return memory.subarray(8 + offset, 8 + offset + bytes.length)
}

const taken = (...args: Parameters<typeof fromBytes>): Tensor => Result.getOrThrow(fromBytes(...args))
const refused = (...args: Parameters<typeof fromBytes>): string => {
  const read = fromBytes(...args)
  return Result.isFailure(read) ? read.failure : assert.fail("it was taken")
}

/** Bit for bit: NaN has many, and -0 is not 0. */
const same = (a: Tensor, b: Tensor) => {
  assert.deepStrictEqual([a.datatype, a.shape], [b.datatype, b.shape])
  assert.deepStrictEqual(toBytes(a), toBytes(b))
}

describe("tensors as bytes", () => {
  it("are little-endian, row-major and without padding", () => {
    for (const [tensor, bytes] of [
      [{ datatype: "BOOL", shape: [2], data: Uint8Array.of(1, 0) }, [1, 0]],
      [{ datatype: "INT8", shape: [1], data: Int8Array.of(-2) }, [254]],
      [{ datatype: "UINT16", shape: [2], data: Uint16Array.of(1, 0x0203) }, [1, 0, 3, 2]],
      [{ datatype: "INT32", shape: [], data: Int32Array.of(-2) }, [254, 255, 255, 255]],
      [{ datatype: "UINT64", shape: [1], data: BigUint64Array.of(2n ** 56n + 1n) }, [1, 0, 0, 0, 0, 0, 0, 1]],
      [{ datatype: "FP16", shape: [1], data: Uint16Array.of(0x3c00) }, [0, 0x3c]],
      [{ datatype: "BF16", shape: [1], data: Uint16Array.of(0x3f80) }, [0x80, 0x3f]],
      [{ datatype: "FP32", shape: [1], data: Float32Array.of(1) }, [0, 0, 0x80, 0x3f]],
      [{ datatype: "FP64", shape: [1], data: Float64Array.of(-2) }, [0, 0, 0, 0, 0, 0, 0, 0xc0]],
      [
        { datatype: "BYTES", shape: [2], data: [Uint8Array.of(7, 8), new Uint8Array(0)] },
        [2, 0, 0, 0, 7, 8, 0, 0, 0, 0],
      ],
    ] as const satisfies ReadonlyArray<readonly [Tensor, ReadonlyArray<number>]>) {
      assert.deepStrictEqual([...toBytes(tensor)], [...bytes], tensor.datatype)
      same(taken(tensor.datatype, tensor.shape, Uint8Array.from(bytes)), tensor)
    }
  })

  it("come back as they were, every datatype, any shape, wherever the bytes lie", () => {
    for (let seed = 0; seed < 50; seed++)
      for (const datatype of Datatype.literals) {
        const dice = random(seed)
        const tensor = sampleTensor(dice, datatype, sampleShape(dice))
        const bytes = toBytes(tensor)
        for (const offset of [0, 1, 2, 4, 7])
          same(taken(datatype, tensor.shape, placed(bytes, offset)), tensor)
      }
  })

  it("are copied only where their elements do not lie at a multiple of their width", () => {
    for (const datatype of Datatype.literals) {
      const bytes = toBytes(sampleTensor(random(1), datatype, [3]))
      for (const offset of [0, 1, 2, 4]) {
        const source = placed(bytes, offset)
        const { data } = taken(datatype, [3], source)
        const memory = ArrayBuffer.isView(data) ? data.buffer : data[0]?.buffer
        const inPlace = datatype === "BYTES" || offset % byteWidth[datatype] === 0
        assert.strictEqual(memory === source.buffer, inPlace, `${datatype} at ${offset}`)
      }
    }
  })

  it("lie where the tensor lies, parts of larger memory included", () => {
    const memory = Float32Array.of(1, 2, 3, 4)
    const bytes = toBytes({ datatype: "FP32", shape: [2], data: memory.subarray(1, 3) })
    assert.strictEqual(bytes.buffer, memory.buffer)
    assert.deepStrictEqual([bytes.byteOffset, bytes.length], [4, 8])
  })
})

describe("bytes that do not fit", () => {
  it("the shape: says how many are expected", () => {
    assert.strictEqual(
      refused("FP32", [2, 3], new Uint8Array(20)),
      "expected 24 bytes for FP32 [2, 3], got 20",
    )
    for (const datatype of Datatype.literals) {
      if (datatype === "BYTES") continue
      const width = byteWidth[datatype]
      for (const length of [0, 3 * width - 1, 3 * width + 1])
        assert.match(refused(datatype, [3], new Uint8Array(length)), /^expected \d+ bytes for/)
    }
  })

  it("a shape that promises more than there can be: costs nothing", () => {
    for (const shape of [
      [2 ** 52],
      [2 ** 30, 2 ** 30],
      Array(32).fill(2 ** 52),
      [...Array(31).fill(2 ** 52), 0],
    ])
      for (const datatype of ["FP64", "UINT8", "BYTES"] as const) refused(datatype, shape, new Uint8Array(8))
    // An empty dimension makes an empty tensor, whatever the others are.
    taken("FP32", [2 ** 52, 0], new Uint8Array(0))
  })

  it("BOOL: only 0 and 1 are", () => {
    assert.match(refused("BOOL", [3], Uint8Array.of(1, 0, 2)), /0 or 1 for BOOL, got 2 at byte 2/)
  })

  it("BYTES: each length has to be whole and lead to the next", () => {
    for (const [bytes, message] of [
      [[1], /element 0 ends within its length/],
      [[0, 0, 0, 0, 1, 0], /element 1 ends within its length/],
      [[2, 0, 0, 0, 7], /element 0 says it has 2 bytes, but 1 are left/],
      [[255, 255, 255, 255], /says it has 4294967295 bytes, but 0 are left/],
      [[0, 0, 0, 128, 0], /says it has 2147483648 bytes/],
      [[], /^0 elements, but the shape \[1\] holds 1$/],
      [[0, 0, 0, 0, 0, 0, 0, 0], /^2 elements, but the shape \[1\] holds 1$/],
    ] as const)
      assert.match(refused("BYTES", [1], Uint8Array.from(bytes)), message)
  })

  it("BYTES: empty elements, which cost the sender 4 bytes each, are limited", () => {
    const count = 1_048_577
    assert.match(refused("BYTES", [count], new Uint8Array(4 * count)), /more than the 1048576 that are taken/)
  })

  it("never make it throw, whatever they are", () => {
    for (let seed = 0; seed < 2000; seed++) {
      const dice = random(seed)
      const datatype = dice.pick(Datatype.literals)
      const bytes = toBytes(sampleTensor(dice, dice.pick(["BYTES", datatype] as const), sampleShape(dice)))
      const read = fromBytes(datatype, sampleShape(dice), placed(bytes, dice.int(8)))
      if (Result.isSuccess(read)) assert.deepStrictEqual(toBytes(read.success), bytes, `seed ${seed}`)
      else assert.isBelow(read.failure.length, 200)
    }
  })

  it("are never those of another datatype's array", () => {
    for (const datatype of Datatype.literals) {
      if (datatype === "BYTES") continue
      const { data } = taken(datatype, [1], new Uint8Array(byteWidth[datatype]))
      assert.strictEqual(data.constructor, allocate[datatype](0).constructor, datatype)
    }
  })
})
