import { assert, describe, it } from "@effect/vitest"
import { ModelScanner } from "@modelforge/core"
import { OnnxScanner } from "@modelforge/onnx"
import { Effect } from "effect"
import { random } from "../../../core/test/random.ts"
import { chunks } from "../chunks.ts"
import { exampleBytes } from "../exampleModels.ts"
import * as onnx from "../onnxFile.ts"
import { outcome, scan } from "./scanning.ts"

const { elementType: type } = onnx
const weights = onnx.rawData(new Float32Array(6))

describe("OnnxScanner", () => {
  it.effect("reads the signature and structure of digits.onnx", () =>
    Effect.gen(function* () {
      const { signature, summary } = yield* scan([exampleBytes("digits")])
      assert.deepStrictEqual(signature, {
        inputs: [{ name: "image", datatype: "FP32", shape: ["batch", 1, 8, 8] }],
        outputs: [
          { name: "label", datatype: "INT64", shape: ["batch"] },
          { name: "probabilities", datatype: "FP32", shape: ["batch", 10] },
        ],
      })
      assert.deepStrictEqual(summary, {
        irVersion: 10,
        opsets: { "ai.onnx": 18 },
        producer: "pytorch 2.13.0+cpu",
        parameters: 38284,
        nodes: 11,
        operators: { Conv: 2, Relu: 3, MaxPool: 1, Reshape: 1, Gemm: 2, Softmax: 1, ArgMax: 1 },
        metadata: {
          description: "Handwritten digit, 8x8 grey levels in 0..1, to its class.",
          labels: '["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]',
        },
        docString: "Handwritten digit, 8x8 grey levels in 0..1, to its class.",
      })
    }),
  )

  it.effect("reads the other examples", () =>
    Effect.gen(function* () {
      const wine = yield* scan([exampleBytes("wine")])
      assert.deepStrictEqual(wine.signature.inputs, [
        { name: "features", datatype: "FP32", shape: ["batch", 13] },
      ])
      assert.strictEqual(wine.summary.parameters, 573)
      assert.strictEqual(wine.summary.nodes, 7)
      const diabetes = yield* scan([exampleBytes("diabetes")])
      assert.deepStrictEqual(
        diabetes.signature.inputs.map(({ name, datatype }) => `${name} ${datatype}`),
        [
          "age INT64",
          "sex INT64",
          ...["bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"].map((n) => `${n} FP32`),
        ],
      )
      assert.strictEqual(diabetes.summary.parameters, 215)
      assert.strictEqual(diabetes.summary.nodes, 10)
    }),
  )

  it("comes to the same result however the file is cut", () => {
    const files = [
      exampleBytes("wine"),
      exampleBytes("diabetes"),
      exampleBytes("digits").subarray(0, 5000),
      exampleBytes("wine").subarray(0, 70),
      onnx.identity(type.complex64),
      Buffer.from("<html><body>Not found</body></html>"),
      onnx.concat(onnx.identity(type.FP32), Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff)),
    ]
    for (const [index, file] of files.entries()) {
      const whole = outcome([file])
      assert.deepStrictEqual(outcome(Array.from(file, (byte) => Uint8Array.of(byte))), whole)
      for (let seed = 0; seed < 10; seed++) {
        assert.deepStrictEqual(outcome(chunks(file, random(seed))), whole, `file ${index}, seed ${seed}`)
      }
    }
  })

  it.effect("does not look at chunks again after it has taken them", () =>
    Effect.gen(function* () {
      const reading = yield* ModelScanner.use(({ start }) => start)
      const buffer = new Uint8Array(7)
      const file = exampleBytes("wine")
      for (let at = 0; at < file.length; at += buffer.length) {
        const length = Math.min(buffer.length, file.length - at)
        buffer.set(file.subarray(at, at + length))
        yield* reading.push(buffer.subarray(0, length))
      }
      assert.strictEqual((yield* reading.finish).summary.parameters, 573)
    }).pipe(Effect.provide(OnnxScanner.layer)),
  )

  it.effect("says the same again after it has refused a file", () =>
    Effect.gen(function* () {
      const reading = yield* ModelScanner.use(({ start }) => start)
      const first = yield* Effect.flip(reading.push(Buffer.alloc(200, "%PDF-1.7 ")))
      assert.strictEqual(yield* Effect.flip(reading.push(exampleBytes("wine"))), first)
      assert.strictEqual(yield* Effect.flip(reading.finish), first)
    }).pipe(Effect.provide(OnnxScanner.layer)),
  )

  it.effect("maps every element type that can be served", () =>
    Effect.gen(function* () {
      for (const datatype of [
        ...(["FP32", "UINT8", "INT8", "UINT16", "INT16", "INT32", "INT64", "BYTES", "BOOL"] as const),
        ...(["FP16", "FP64", "UINT32", "UINT64"] as const),
      ]) {
        const { signature } = yield* scan([onnx.identity(type[datatype], [])])
        assert.deepStrictEqual(signature.inputs, [{ name: "x", datatype, shape: [] }])
      }
    }),
  )

  it.effect("keeps fixed, symbolic and unknown dimensions apart", () =>
    Effect.gen(function* () {
      const { signature } = yield* scan([onnx.identity(type.FP32, ["batch", 3, null, 0, "", -1, "2*n"])])
      assert.deepStrictEqual(signature.inputs[0]?.shape, ["batch", 3, -1, 0, -1, -1, "2*n"])
    }),
  )

  it.effect("counts initializers, sparse ones by their values, and does not take them for inputs", () =>
    Effect.gen(function* () {
      const file = onnx.oneNode(onnx.node("Add", ["x", "w"], ["y"]), {
        ir: 3,
        inputs: [
          onnx.value("w", type.FP32, [2, 3]),
          onnx.value("x", type.FP32, [null]),
          onnx.value("s", type.complex64, [10]),
        ],
        initializers: [onnx.tensor("w", type.FP32, [2, 3], weights), onnx.tensor("none", type.FP32, [0, 9])],
        rest: [
          onnx.message(
            15,
            onnx.message(1, onnx.tensor("s", type.FP32, [4])),
            onnx.message(2, onnx.tensor("", type.INT64, [4])),
            onnx.int(3, 10),
          ),
        ],
      })
      const { signature, summary } = yield* scan([file])
      assert.deepStrictEqual(
        signature.inputs.map(({ name }) => name),
        ["x"],
      )
      assert.strictEqual(summary.parameters, 10)
    }),
  )

  it.effect("counts the nodes of subgraphs and local functions, and lets functions define operators", () =>
    Effect.gen(function* () {
      const file = onnx.model({
        nodes: [
          onnx.node("If", ["c"], ["y"], {
            attributes: ["then_branch", "else_branch"].map((name) =>
              onnx.attributeGraph(
                name,
                onnx.graph({
                  nodes: [
                    onnx.node("Twice", ["x"], ["z"], { domain: "mine" }),
                    onnx.node("Gelu", ["z"], ["y"], { domain: "com.microsoft" }),
                  ],
                  outputs: [onnx.value("y", type.FP32, ["n"])],
                }),
              ),
            ),
          }),
          onnx.node("Scaler", ["x"], ["q"], { domain: "ai.onnx.ml" }),
          onnx.node("Relu", ["q"], ["r"], { domain: "ai.onnx" }),
        ],
        inputs: [onnx.value("c", type.BOOL, []), onnx.value("x", type.FP32, ["n"])],
        outputs: [onnx.value("y", type.FP32, ["n"])],
        opsets: { "": 17, mine: 1, "com.microsoft": 1 },
        model: [
          onnx.message(
            25,
            onnx.bytes(1, "Twice"),
            onnx.bytes(10, "mine"),
            onnx.message(7, onnx.node("Add", ["a", "a"], ["b"])),
            onnx.message(11, onnx.attributeInt("k", 2)),
          ),
        ],
      })
      const { signature, summary } = yield* scan([file])
      assert.strictEqual(summary.nodes, 8)
      assert.deepStrictEqual(summary.operators, {
        "mine.Twice": 2,
        "com.microsoft.Gelu": 2,
        If: 1,
        "ai.onnx.ml.Scaler": 1,
        Relu: 1,
        Add: 1,
      })
      assert.deepStrictEqual(summary.opsets, { "ai.onnx": 17, mine: 1, "com.microsoft": 1 })
      assert.deepStrictEqual(signature.outputs, [{ name: "y", datatype: "FP32", shape: ["n"] }])
    }),
  )

  it.effect("accepts a model without inputs, integers that are packed, and fields it does not know", () =>
    Effect.gen(function* () {
      const file = onnx.concat(
        onnx.fixed32(90, 1.5),
        onnx.concat(onnx.varint(91 * 8 + 1), new Uint8Array(8)),
        onnx.bytes(92, new Uint8Array(300)),
        onnx.int(93, -1),
        onnx.model({
          nodes: [onnx.node("Identity", ["w"], ["y"])],
          initializers: [
            onnx.concat(
              onnx.bytes(1, onnx.concat(onnx.varint(2), onnx.varint(300))),
              onnx.int(2, type.FP32),
              onnx.bytes(8, "w"),
              onnx.bytes(4, new Uint8Array(2400)),
            ),
          ],
          outputs: [onnx.value("y", type.FP32, [2, 300])],
        }),
      )
      const { signature, summary } = yield* scan([file])
      assert.deepStrictEqual(signature.inputs, [])
      assert.strictEqual(summary.parameters, 600)
    }),
  )

  it.effect("bounds what it keeps of texts, and makes them fit to be stored", () =>
    Effect.gen(function* () {
      const file = onnx.oneNode(onnx.node("Identity", ["x"], ["y"]), {
        model: [
          onnx.bytes(6, "é".repeat(50_000)),
          onnx.message(14, onnx.bytes(1, "k"), onnx.bytes(2, Uint8Array.of(0x61, 0, 0xff, 0x62))),
          onnx.message(14, onnx.bytes(1, "__proto__"), onnx.bytes(2, "v")),
        ],
      })
      const { summary } = yield* scan([file])
      assert.strictEqual(summary.docString, "é".repeat(8192))
      assert.strictEqual(summary.metadata["k"], "a\ufffd\ufffdb")
      assert.deepStrictEqual(Object.keys(summary.metadata), ["k", "__proto__"])
    }),
  )
})
