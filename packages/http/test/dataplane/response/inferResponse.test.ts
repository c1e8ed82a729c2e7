import { assert, describe, it } from "@effect/vitest"
import type { Prediction, Tensors } from "@modelforge/core"
import { writeInfer } from "../../../src/dataplane/response/inferResponse.ts"
import { binaryForms, type OutputForms, plainForms } from "../../../src/dataplane/response/outputForms.ts"
import { routeTo } from "../FakeInference.ts"

const outputs: Tensors = {
  y: { datatype: "FP32", shape: [1, 3], data: Float32Array.of(1, 3, 2) },
  é: { datatype: "BYTES", shape: [2], data: [Uint8Array.of(65), new Uint8Array(0)] },
}

const route = routeTo({
  inputs: [],
  outputs: [
    { name: "y", datatype: "FP32", shape: ["batch", 3] },
    { name: "é", datatype: "BYTES", shape: [2] },
  ],
})

const write = (forms: OutputForms, given: Tensors = outputs, id?: string) => {
  const prediction: Prediction = {
    version: route.version,
    outputs: given,
    cache: "bypass",
    queueMs: 0,
    computeMs: 0,
  }
  return writeInfer(route, prediction, { id, forms }, new Map())
}

/** The JSON of an answer with bytes behind it, and these. */
const taken = (body: ReturnType<typeof write>) => {
  if (typeof body === "string") return assert.fail("it is text")
  const [head, ...binary] = body
  const json = JSON.parse(new TextDecoder().decode(head))
  return { json, binary: binary.map((bytes) => [...bytes]) }
}

const listing = (name: string, binary: boolean, classes?: number): OutputForms => ({
  listed: new Map([[name, { binary, classes }]]),
  others: plainForms.others,
})

const floats = [...new Uint8Array(Float32Array.of(1, 3, 2).buffer)]
const texts = [1, 0, 0, 0, 65, 0, 0, 0, 0]

describe("an answer", () => {
  it("is text when all of it is JSON", () => {
    assert.strictEqual(
      write(plainForms, outputs, "mine"),
      '{"model_name":"digits","model_version":"3","id":"mine","outputs":[{"name":"y","datatype":"FP32","shape":[1,3],"data":[1,3,2]},{"name":"é","datatype":"BYTES","shape":[2],"data":["A",""]}]}',
    )
  })

  it("has the bytes of binary outputs behind the JSON, in its order, where the tensors lie", () => {
    const body = write(binaryForms)
    assert.deepStrictEqual(taken(body), {
      json: {
        model_name: "digits",
        model_version: "3",
        outputs: [
          { name: "y", datatype: "FP32", shape: [1, 3], parameters: { binary_data_size: 12 } },
          { name: "é", datatype: "BYTES", shape: [2], parameters: { binary_data_size: 9 } },
        ],
      },
      binary: [floats, texts],
    })
    const { y } = outputs
    const memory = y?.datatype === "FP32" ? y.data.buffer : assert.fail()
    assert.strictEqual(typeof body === "string" ? undefined : body[1]?.buffer, memory)
  })

  it("may have some outputs as JSON and some as bytes", () => {
    const { json, binary } = taken(write(listing("é", true)))
    assert.deepStrictEqual(binary, [texts])
    assert.deepStrictEqual(json.outputs[0].data, [1, 3, 2])
    assert.notProperty(json.outputs[0], "parameters")
    assert.deepStrictEqual(json.outputs[1].parameters, { binary_data_size: 9 })
    assert.notProperty(json.outputs[1], "data")
  })

  it("is text when no binary output has a byte", () => {
    const empty: Tensors = { y: { datatype: "FP32", shape: [0, 3], data: new Float32Array(0) } }
    const body = write(binaryForms, empty)
    assert.include(String(body), '"shape":[0,3],"parameters":{"binary_data_size":0}}')
  })

  it("has classifications in the place of outputs, as text or as bytes", () => {
    const { outputs: told } = JSON.parse(String(write(listing("y", false, 2))))
    assert.deepStrictEqual(told[0], {
      name: "y",
      datatype: "BYTES",
      shape: [1, 2],
      data: ["3.000000:1", "2.000000:2"],
    })
    const { json, binary } = taken(write(listing("y", true, 1)))
    assert.deepStrictEqual(json.outputs[0], {
      name: "y",
      datatype: "BYTES",
      shape: [1, 1],
      parameters: { binary_data_size: 14 },
    })
    assert.deepStrictEqual(binary, [[10, 0, 0, 0, ...Buffer.from("3.000000:1")]])
  })
})
