import { assert, describe, it } from "@effect/vitest"
import { BadRequestProblem, UnsupportedFeatureProblem } from "@modelforge/api"
import { Datatype, type Signature, type Tensor } from "@modelforge/core"
import { type Random, random } from "../../../../core/test/random.ts"
import { flatJson } from "../../../src/dataplane/json/tensorJson.ts"
import { toBytes } from "../../../src/dataplane/request/binaryTensor.ts"
import { readInferBody } from "../../../src/dataplane/request/inferBody.ts"
import { sampleShape, sampleTensor } from "../Samples.ts"

const encoder = new TextEncoder()

const signature: Signature = {
  inputs: [{ name: "i", datatype: "INT64", shape: [-1] }],
  outputs: [{ name: "y", datatype: "BYTES", shape: [1] }],
}

const join = (...parts: ReadonlyArray<Uint8Array>) => {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/** Reads a JSON with bytes behind it. */
const read = (json: unknown, ...binary: ReadonlyArray<Uint8Array>) => {
  const head = encoder.encode(typeof json === "string" ? json : JSON.stringify(json))
  return readInferBody(signature, join(head, ...binary), head.length)
}

const refused = (...args: Parameters<typeof read>): string => {
  try {
    read(...args)
  } catch (error) {
    if (error instanceof BadRequestProblem) return error.message
    throw error
  }
  return assert.fail("it was taken")
}

const input = (name: string, size: number | undefined, fields: Readonly<Record<string, unknown>> = {}) => ({
  name,
  datatype: "UINT8",
  shape: [2],
  ...(size === undefined ? {} : { parameters: { binary_data_size: size } }),
  ...fields,
})

describe("a binary request", () => {
  it("takes the bytes in the order of its inputs, those with JSON data among them", () => {
    const { inputs } = read(
      { inputs: [input("a", 2), input("b", undefined, { data: [9, 8] }), input("c", 2)] },
      Uint8Array.of(1, 2, 3, 4),
    )
    assert.deepStrictEqual(
      Object.entries(inputs).map(([name, { data }]) => [name, ...data]),
      [
        ["a", 1, 2],
        ["b", 9, 8],
        ["c", 3, 4],
      ],
    )
  })

  it("may leave out data by null, as KServe's client does of empty inputs", () => {
    const { inputs } = read({ inputs: [input("a", 0, { shape: [0], data: null })] })
    assert.deepStrictEqual(inputs["a"], { datatype: "UINT8", shape: [0], data: new Uint8Array(0) })
  })

  it("may be JSON only, with its length or without", () => {
    const json = { inputs: [input("a", undefined, { data: [1, 2] })] }
    assert.deepStrictEqual([...(read(json).inputs["a"]?.data ?? [])], [1, 2])
    assert.deepStrictEqual(
      readInferBody(signature, encoder.encode(JSON.stringify(json)), undefined),
      read(json),
    )
  })

  it("has long integers exact in its JSON too", () => {
    const { inputs } = read(
      '{"inputs":[{"name":"i","datatype":"INT64","shape":[1],"data":[9007199254740993]}]}',
    )
    assert.deepStrictEqual(inputs["i"]?.data, BigInt64Array.of(9007199254740993n))
  })

  it("of which bytes are missing, left over, or not what the shape says, is refused", () => {
    const a = { inputs: [input("a", 2)] }
    assert.match(
      refused(a, Uint8Array.of(1)),
      /inputs\.a: unexpected size for input: it says 2 bytes, but 1 are left/,
    )
    assert.match(refused(a, Uint8Array.of(1, 2, 3)), /unexpected additional input data: 1 bytes/)
    assert.match(
      refused({ inputs: [input("a", 3)] }, Uint8Array.of(1, 2, 3)),
      /expected 2 bytes for UINT8 \[2\], got 3/,
    )
    assert.match(refused({ inputs: [] }, Uint8Array.of(1)), /unexpected additional input data/)
    assert.match(
      refused({ inputs: [input("a", 2), input("a", 2)] }, Uint8Array.of(1, 2, 3, 4)),
      /input "a" already exists in request/,
    )
    const text = { inputs: [input("a", 5, { datatype: "BYTES", shape: [1] })] }
    assert.match(refused(text, Uint8Array.of(9, 0, 0, 0, 1)), /element 0 says it has 9 bytes, but 1 are left/)
  })

  it("gives each input exactly one source", () => {
    assert.match(
      refused({ inputs: [input("a", 2, { data: [1, 2] })] }, Uint8Array.of(1, 2)),
      /either data or/,
    )
    assert.match(refused({ inputs: [input("a", undefined)] }), /inputs\.a\.data: expected an array/)
    const shared = { inputs: [input("a", undefined, { parameters: { shared_memory_region: "r" } })] }
    assert.throws(() => read(shared), UnsupportedFeatureProblem)
  })

  it("whose JSON would be longer than the body is refused", () => {
    assert.throws(
      () => readInferBody(signature, Uint8Array.of(1), 2),
      /Inference-Header-Content-Length is 2, but the body has 1 bytes/,
    )
  })

  it("can't classify what has no order", () => {
    const json = { inputs: [], outputs: [{ name: "y", parameters: { classification: 1 } }] }
    assert.match(refused(json), /classification is for numbers/)
  })

  it("without JSON is raw", () => {
    const raw = readInferBody(signature, new Uint8Array(BigInt64Array.of(5n).buffer), 0)
    assert.deepStrictEqual(raw.inputs["i"], { datatype: "INT64", shape: [1], data: BigInt64Array.of(5n) })
  })
})

/** A request of random tensors, some in the JSON and some behind it. */
const made = (dice: Random) => {
  const tensors: Record<string, Tensor> = {}
  const parts: Array<Uint8Array> = []
  const inputs = Array.from({ length: 1 + dice.int(4) }, (_, index) => {
    const datatype = dice.pick(Datatype.literals)
    const tensor = sampleTensor(dice, datatype, sampleShape(dice))
    const name = `in${index}`
    tensors[name] = tensor
    const head = `"name":"${name}","datatype":"${datatype}","shape":[${tensor.shape}]`
    // In JSON bytes are text, and NaN has one form only.
    if (/^(?:U?INT|BOOL)/.test(datatype) && dice.int(2) === 0)
      return `{${head},"data":${flatJson(tensor, name)}}`
    const bytes = toBytes(tensor)
    parts.push(bytes)
    return `{${head},"parameters":{"binary_data_size":${bytes.length}}}`
  })
  return { tensors, json: `{"inputs":[${inputs}]}`, parts }
}

describe("any request", () => {
  it("gives the tensors that were sent, in JSON, as bytes or mixed", () => {
    for (let seed = 0; seed < 300; seed++) {
      const { tensors, json, parts } = made(random(seed))
      const { inputs } = read(json, ...parts)
      assert.deepStrictEqual(Object.keys(inputs), Object.keys(tensors))
      for (const [name, tensor] of Object.entries(tensors))
        assert.deepStrictEqual(toBytes(inputs[name] ?? assert.fail(name)), toBytes(tensor), `seed ${seed}`)
    }
  })

  it("that was damaged is read or refused, nothing else", () => {
    const outcomes = { read: 0, refused: 0 }
    for (let seed = 0; seed < 1500; seed++) {
      const dice = random(seed)
      const { json, parts } = made(dice)
      const head = encoder.encode(json)
      const body = join(head, ...parts)
      for (let flips = dice.int(4); flips > 0; flips--) body[dice.int(body.length)] = dice.int(256)
      const cut = body.subarray(0, body.length - (dice.int(2) === 0 ? 0 : dice.int(10)))
      const length = dice.int(3) === 0 ? dice.int(body.length + 2) : head.length
      try {
        readInferBody(signature, cut, length)
        outcomes.read++
      } catch (error) {
        const declared = error instanceof BadRequestProblem || error instanceof UnsupportedFeatureProblem
        if (!declared) throw new Error(`seed ${seed}`, { cause: error })
        assert.isBelow(error.message.length, 500)
        outcomes.refused++
      }
    }
    // Without some of each, the damage would prove nothing.
    assert.isAbove(outcomes.read, 50)
    assert.isAbove(outcomes.refused, 500)
  })
})
