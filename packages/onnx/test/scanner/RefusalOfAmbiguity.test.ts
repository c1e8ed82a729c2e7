/** Files that two readers could take for different models, that people could mistake, or that lie about sizes. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as onnx from "../onnxFile.ts"
import { type Case, refused, suite } from "./refusing.ts"
import { scan } from "./scanning.ts"

const { elementType: type } = onnx
const identity = onnx.node("Identity", ["x"], ["y"])
const floats = (name: string) => onnx.value(name, type.FP32, ["n"])
const inputs = (...names: ReadonlyArray<string>) => onnx.oneNode(identity, { inputs: names.map(floats) })
const outputs = (...names: ReadonlyArray<string>) => onnx.oneNode(identity, { outputs: names.map(floats) })
const entry = (key: string, value: string) => onnx.message(14, onnx.bytes(1, key), onnx.bytes(2, value))
const metadata = (...entries: ReadonlyArray<Uint8Array>) => onnx.oneNode(identity, { model: entries })
const stored = (tensor: Uint8Array) => onnx.oneNode(identity, { initializers: [tensor] })
const sparse = (dims: ReadonlyArray<number>, values: ReadonlyArray<number>, indices: ReadonlyArray<number>) =>
  onnx.oneNode(identity, {
    rest: [
      onnx.message(
        15,
        onnx.bytes(1, onnx.tensor("s", type.FP32, values)),
        onnx.bytes(2, onnx.tensor("", type.INT64, indices)),
        ...dims.map((dim) => onnx.int(3, dim)),
      ),
    ],
  })
const local = (...parts: ReadonlyArray<Uint8Array>) =>
  onnx.message(25, onnx.bytes(1, "F"), onnx.bytes(10, "mine"), ...parts)
const twice = onnx.node("Op", ["x"], ["y"], {
  name: "n",
  attributes: [onnx.attributeInt("axis", 0), onnx.attributeInt("axis", 1)],
})

const cases: ReadonlyArray<Case> = [
  refused("an input with a line break", inputs("a\nb"), "invalid-name", [/"a\\nb"/, /the input/]),
  refused("an output with DEL", outputs("a\x7f"), "invalid-name", [/"a\\u007f"/, /the output/]),
  refused("an input with a C1 control", inputs("a\u0085"), "invalid-name", /\\u0085/),
  refused("an input that reverses text", inputs("a\u202eb"), "invalid-name", /\\u202e/),
  refused("an input with a zero-width space", inputs("a\u200b"), "invalid-name", /\\u200b/),
  refused("an input with a byte order mark", inputs("\ufeffage"), "invalid-name", [/\\ufeff/, /Rename/]),
  refused(
    "an operator with a tab",
    onnx.oneNode(onnx.node("Re\tlu", ["x"], ["y"])),
    "invalid-name",
    /"Re\\tlu"/,
  ),
  refused(
    "a node that takes a tensor with a control character",
    onnx.oneNode(onnx.node("Relu", ["x\u0001"], ["y"])),
    "invalid-name",
    /\\u0001/,
  ),
  refused(
    "a node that takes a tensor with NUL",
    onnx.oneNode(onnx.node("Relu", ["x\0"], ["y"])),
    "malformed",
    /NUL/,
  ),
  refused("Cyrillic for Latin", inputs("age", "аge"), "duplicate-name", [
    /two inputs whose names look the same/,
    /"age" and "\\u0430ge"/,
  ]),
  refused("Greek for Latin", outputs("Age", "Αge"), "duplicate-name", /two outputs .* "\\u0391ge"/),
  refused("full-width letters", inputs("age", "ａge"), "duplicate-name", /look the same/),
  refused("a joiner between", inputs("age", "a\u200dge"), "duplicate-name", /look the same/),

  refused(
    "two initializers of one name",
    onnx.oneNode(identity, {
      initializers: [onnx.tensor("w", type.FP32, [1]), onnx.tensor("w", type.FP32, [2])],
    }),
    "duplicate-name",
    /two initializers named "w"/,
  ),
  refused("two attributes of one name", onnx.oneNode(twice), "duplicate-name", [
    /the node "n" \(Op\)/,
    /two attributes named "axis"/,
  ]),
  refused(
    "two attributes of one name in a function",
    onnx.oneNode(identity, { model: [local(onnx.bytes(7, twice))] }),
    "duplicate-name",
    /two attributes named "axis"/,
  ),
  refused(
    "two functions of one name",
    onnx.oneNode(identity, { model: [local(), local()] }),
    "duplicate-name",
    /two functions "F" in the domain "mine"/,
  ),
  refused(
    "two versions of an operator set",
    onnx.oneNode(identity, { model: [onnx.opset("ai.onnx", 18)] }),
    "duplicate-name",
    /two versions of the operator set "ai.onnx"/,
  ),
  refused(
    "two metadata entries of one key",
    metadata(entry("labels", "a"), entry("labels", "b")),
    "duplicate-name",
    /two different entries named "labels"/,
  ),

  ...[
    "ort_config",
    "session.load_model_format",
    "ep.context_file_path",
    "optimized_model_filepath",
    "profile_file_prefix",
    "custom_op_library",
    "ORT_CONFIG",
  ].map((key) =>
    refused(`session options: ${key}`, metadata(entry(key, "{}")), "session-options", [
      /options of the runtime/,
      /Remove it/,
    ]),
  ),

  refused(
    "fewer bytes than the shape",
    stored(onnx.tensor("w", type.FP32, [4], onnx.rawData(new Float32Array(3)))),
    "invalid-shape",
    [/named "w"/, /holds 12 bytes/, /\[4\] of FP32 takes 16/],
  ),
  refused(
    "more bytes than the shape",
    stored(onnx.tensor("w", type.BF16, [4], onnx.rawData(new Float32Array(3)))),
    "invalid-shape",
    /bfloat16 takes 8/,
  ),
  refused(
    "half a byte too many",
    stored(onnx.tensor("w", type.int4, [3], onnx.rawData(new Uint8Array(3)))),
    "invalid-shape",
    /int4 takes 2/,
  ),
  refused(
    "bytes that an attribute's tensor does not have",
    onnx.oneNode(
      onnx.node("Constant", [], ["y"], {
        attributes: [
          onnx.attributeTensor("value", onnx.tensor("", type.INT64, [2], onnx.rawData(new Uint8Array(8)))),
        ],
      }),
    ),
    "invalid-shape",
    /the tensor in the attribute "value"/,
  ),
  refused("more sparse values than elements", sparse([3], [4], [4]), "invalid-shape", /shape \[3\]/),
  refused(
    "fewer indices than sparse values",
    sparse([10], [4], [3]),
    "invalid-shape",
    /\[4\] values at \[3\]/,
  ),
  refused("sparse indices of another rank", sparse([10, 10], [4], [4, 3]), "invalid-shape", /at \[4, 3\]/),
  refused("sparse indices of three dimensions", sparse([10], [4], [4, 1, 1]), "invalid-shape", /not fit/),
  refused("sparse values that are a matrix", sparse([10], [2, 2], [4]), "invalid-shape", /\[2, 2\] values/),

  refused(
    "many attributes",
    onnx.oneNode(
      onnx.node("Op", ["x"], ["y"], {
        attributes: ["a", "b", "c"].map((name) => onnx.attributeInt(name, 0)),
      }),
    ),
    "limit-exceeded",
    /more than 2 attributes/,
    { attributes: 2 },
  ),
  refused(
    "floats that are not whole",
    onnx.oneNode(
      onnx.node("Op", ["x"], ["y"], {
        attributes: [onnx.concat(onnx.bytes(1, "a"), onnx.bytes(7, new Uint8Array(7)))],
      }),
    ),
    "malformed",
    /not of the type/,
  ),
  refused(
    "an attribute's float as a number",
    onnx.oneNode(
      onnx.node("Op", ["x"], ["y"], { attributes: [onnx.concat(onnx.bytes(1, "a"), onnx.int(2, 1))] }),
    ),
    "malformed",
    /not of the type/,
  ),
]

suite("refusals of what is ambiguous", cases)

describe("what only resembles them is taken", () => {
  const taken = (name: string, file: Uint8Array) =>
    it.effect(name, () => Effect.map(scan([file]), ({ signature }) => assert.isNotEmpty(signature.outputs)))

  taken("names of any script", inputs("température", "年齢", "سن\u200cها", "Δx", "возраст", "🦊", "a b:0/c"))
  taken("one operator set named twice alike", onnx.oneNode(identity, { model: [onnx.opset("ai.onnx", 17)] }))
  taken("one metadata entry twice alike", metadata(entry("k", "v"), entry("k", "v")))
  taken("metadata about sessions", metadata(entry("session", "7"), entry("source", "C:\\train.py")))
  taken(
    "overloads of a function",
    onnx.oneNode(identity, { model: [local(onnx.bytes(13, "a")), local(onnx.bytes(13, "b"))] }),
  )
  taken("half bytes", stored(onnx.tensor("w", type.int4, [3], onnx.rawData(new Uint8Array(2)))))
  taken("a stored tensor of texts", stored(onnx.tensor("w", type.BYTES, [1], onnx.bytes(6, "text"))))
  taken("nothing of something", stored(onnx.tensor("w", type.FP32, [0, 3], onnx.rawData(new Uint8Array(0)))))
  taken("a sparse tensor with an index a dimension", sparse([10, 10], [4], [4, 2]))
  taken("a sparse tensor that is empty", onnx.oneNode(identity, { rest: [onnx.message(15, onnx.int(3, 5))] }))
})
