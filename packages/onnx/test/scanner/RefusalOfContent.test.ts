/** Files that are ONNX but not safe to run, or impossible to serve. */
import * as onnx from "../onnxFile.ts"
import { type Case, refused, suite } from "./refusing.ts"

const { elementType: type } = onnx
const identity = onnx.node("Identity", ["x"], ["y"])
const outside = onnx.tensor("w", type.FP32, [4], onnx.external("../../etc/passwd"))
const attribute = (field: number, body: Uint8Array) =>
  onnx.oneNode(
    onnx.node("Constant", [], ["y"], {
      name: "const",
      attributes: [onnx.concat(onnx.bytes(1, "value"), onnx.message(field, body))],
    }),
  )
const nested = (depth: number): Uint8Array =>
  depth === 0
    ? onnx.graph({ nodes: [identity] })
    : onnx.graph({
        nodes: [
          onnx.node("If", ["c"], ["y"], {
            attributes: [onnx.attributeGraph("then_branch", nested(depth - 1))],
          }),
        ],
      })
const inputOf = (typeProto: Uint8Array) =>
  onnx.oneNode(identity, { inputs: [onnx.concat(onnx.bytes(1, "x"), onnx.message(2, typeProto))] })
const initializer = (...dims: ReadonlyArray<number | bigint>) =>
  onnx.oneNode(identity, { initializers: [onnx.tensor("w", type.FP32, dims)] })
const valid = onnx.identity(type.FP32)
const local = (...nodes: ReadonlyArray<Uint8Array>) =>
  onnx.message(25, onnx.bytes(1, "F"), onnx.bytes(10, "mine"), ...nodes.map((node) => onnx.bytes(7, node)))

const cases: ReadonlyArray<Case> = [
  refused(
    "two inputs of one name",
    onnx.oneNode(identity, { inputs: [onnx.value("x", type.FP32, []), onnx.value("x", type.FP32, [])] }),
    "duplicate-name",
    /two inputs named "x"/,
  ),
  refused(
    "two outputs of one name",
    onnx.oneNode(identity, { outputs: [onnx.value("y", type.FP32, []), onnx.value("y", type.FP32, [])] }),
    "duplicate-name",
    /two outputs named "y"/,
  ),
  refused(
    "an input without name",
    onnx.oneNode(identity, { inputs: [onnx.value("", type.FP32, [])] }),
    "invalid-name",
    /no name/,
  ),
  refused(
    "an output named __proto__",
    onnx.oneNode(identity, { outputs: [onnx.value("__proto__", type.FP32, [])] }),
    "invalid-name",
    /__proto__/,
  ),

  refused("complex elements", onnx.identity(type.complex64), "unsupported-type", [
    /the input "x"/,
    /complex64/,
  ]),
  refused(
    "bfloat16",
    onnx.identity(type.BF16),
    "unsupported-type",
    /bfloat16, which onnxruntime-node can't carry/,
  ),
  refused("float8", onnx.identity(type.float8e4m3fn), "unsupported-type", /float8e4m3fn/),
  refused("int4", onnx.identity(type.int4), "unsupported-type", /int4/),
  refused("an element type of the future", onnx.identity(99), "unsupported-type", /number 99/),
  refused("an undefined element type", onnx.identity(0), "unsupported-type", /undefined/),
  refused(
    "a sequence",
    inputOf(onnx.message(4, onnx.message(1, onnx.message(1, onnx.int(1, 1))))),
    "unsupported-type",
    [/"x" is a sequence/, /zipmap/],
  ),
  refused("a map", inputOf(onnx.message(5, onnx.int(1, 7))), "unsupported-type", /is a map/),
  refused("an optional", inputOf(onnx.message(9)), "unsupported-type", /is an optional value/),
  refused("a sparse input", inputOf(onnx.message(8, onnx.int(1, 1))), "unsupported-type", /sparse tensor/),
  refused("an opaque input", inputOf(onnx.message(7)), "unsupported-type", /opaque/),
  refused(
    "an input without type",
    onnx.oneNode(identity, { inputs: [onnx.bytes(1, "x")] }),
    "unsupported-type",
    /declares no type/,
  ),
  refused(
    "an input without shape",
    onnx.oneNode(identity, { inputs: [onnx.value("x", type.FP32)] }),
    "unknown-rank",
    [/the input "x"/, /has no shape/],
  ),
  refused(
    "an output without shape",
    onnx.oneNode(identity, { outputs: [onnx.value("y", type.FP32)] }),
    "unknown-rank",
    /the output "y"/,
  ),

  refused(
    "external data of an initializer",
    onnx.oneNode(identity, { initializers: [outside] }),
    "external-data",
    [/named "w"/, /in "..\/..\/etc\/passwd"/, /initializer of the graph "g"/, /one file/],
  ),
  refused(
    "an external entry without the location set",
    onnx.oneNode(identity, {
      initializers: [
        onnx.tensor("w", 1, [4], onnx.message(13, onnx.bytes(1, "location"), onnx.bytes(2, "w.bin"))),
      ],
    }),
    "external-data",
    /w\.bin/,
  ),
  refused(
    "a location set without entry",
    onnx.oneNode(identity, { initializers: [onnx.tensor("w", 1, [4], onnx.int(14, 1))] }),
    "external-data",
    /outside the file\./,
  ),
  refused(
    "a location in the upper bits",
    onnx.oneNode(identity, { initializers: [onnx.tensor("w", 1, [4], onnx.int(14, 2n ** 32n + 1n))] }),
    "external-data",
    /outside/,
  ),
  refused(
    "a location of memory",
    onnx.oneNode(identity, { initializers: [onnx.tensor("w", 1, [4], onnx.external("*/_ORT_MEM_ADDR_/*"))] }),
    "external-data",
    /address in memory/,
  ),
  refused(
    "sparse values",
    onnx.oneNode(identity, { rest: [onnx.message(15, onnx.bytes(1, outside))] }),
    "external-data",
    /the values of a sparse initializer/,
  ),
  refused(
    "sparse indices",
    onnx.oneNode(identity, { rest: [onnx.message(15, onnx.bytes(2, outside))] }),
    "external-data",
    /the indices of a sparse initializer/,
  ),
  refused(
    "attribute t",
    attribute(5, outside),
    "external-data",
    /the attribute "value" of the node "const" \(Constant\)/,
  ),
  refused("attribute tensors", attribute(10, outside), "external-data", /the attribute "value"/),
  refused(
    "attribute sparse_tensor",
    attribute(22, onnx.bytes(1, outside)),
    "external-data",
    /sparse tensor in the attribute/,
  ),
  refused(
    "attribute sparse_tensors",
    attribute(23, onnx.bytes(2, outside)),
    "external-data",
    /sparse tensor in the attribute/,
  ),
  refused(
    "attribute g",
    attribute(6, onnx.graph({ initializers: [outside] })),
    "external-data",
    /the subgraph in the attribute "value"/,
  ),
  refused(
    "attribute graphs",
    attribute(11, onnx.graph({ initializers: [outside] })),
    "external-data",
    /the subgraph in/,
  ),
  refused(
    "a function's body",
    onnx.oneNode(identity, {
      model: [
        local(onnx.node("Constant", [], ["c"], { attributes: [onnx.attributeTensor("value", outside)] })),
      ],
    }),
    "external-data",
    /function "F"/,
  ),
  refused(
    "a function's default",
    onnx.oneNode(identity, {
      model: [onnx.message(25, onnx.bytes(1, "F"), onnx.message(11, onnx.attributeTensor("a", outside)))],
    }),
    "external-data",
    /function "F"/,
  ),
  refused(
    "training initialization",
    onnx.oneNode(identity, {
      model: [onnx.message(20, onnx.bytes(1, onnx.graph({ initializers: [outside] })))],
    }),
    "external-data",
    /training graph/,
  ),
  refused(
    "training algorithm",
    onnx.oneNode(identity, {
      model: [onnx.message(20, onnx.bytes(2, onnx.graph({ initializers: [outside] })))],
    }),
    "external-data",
    /training graph/,
  ),

  refused(
    "EPContext",
    onnx.oneNode(onnx.node("EPContext", ["x"], ["y"], { domain: "com.microsoft", name: "ep" })),
    "compiled-model",
    /EPContext/,
  ),
  refused(
    "a custom operator",
    onnx.oneNode(onnx.node("Foo", ["x"], ["y"], { domain: "acme.ops" })),
    "custom-operator",
    [/"Foo"/, /"acme.ops"/, /library/],
  ),
  refused(
    "an operator that the model's functions don't define",
    onnx.oneNode(onnx.node("G", ["x"], ["y"], { domain: "mine" }), { model: [local(identity)] }),
    "custom-operator",
    /"G"/,
  ),
  refused(
    "a custom operator in a subgraph",
    onnx.oneNode(
      onnx.node("If", ["x"], ["y"], {
        attributes: [
          onnx.attributeGraph(
            "then_branch",
            onnx.graph({ nodes: [onnx.node("Foo", [], ["y"], { domain: "acme" })] }),
          ),
        ],
      }),
    ),
    "custom-operator",
    /"Foo"/,
  ),

  refused(
    "a negative dimension of a weight",
    initializer(4, -1),
    "invalid-shape",
    /negative dimension in \[4, -1\]/,
  ),
  refused(
    "a product that overflows",
    initializer(2 ** 40, 2 ** 40),
    "invalid-shape",
    /more elements than can be counted/,
  ),
  refused("a dimension that overflows", initializer(2n ** 62n, 0), "invalid-shape", /more elements/),
  refused(
    "parameters that overflow together",
    onnx.oneNode(identity, {
      initializers: [onnx.tensor("a", 1, [2 ** 52]), onnx.tensor("b", 1, [2 ** 52])],
    }),
    "invalid-shape",
    /number of parameters/,
  ),
  refused(
    "a dimension of -2",
    onnx.identity(type.FP32, [-2]),
    "invalid-shape",
    /the input "x" has a dimension of size -2/,
  ),
  refused(
    "an input that overflows",
    onnx.identity(type.FP32, ["n", 2 ** 30, 2 ** 30]),
    "invalid-shape",
    /the input "x"/,
  ),
  refused(
    "a negative dimension of a sparse tensor",
    onnx.oneNode(identity, { rest: [onnx.message(15, onnx.int(3, -5))] }),
    "invalid-shape",
    /negative/,
  ),

  refused(
    "too many nodes",
    onnx.oneNode(identity, { nodes: [identity, identity, identity] }),
    "limit-exceeded",
    /more than 2 nodes/,
    { nodes: 2 },
  ),
  refused(
    "too many operators",
    onnx.oneNode(identity, { nodes: [onnx.node("A", [], []), onnx.node("B", [], [])] }),
    "limit-exceeded",
    /different operators/,
    { operators: 1 },
  ),
  refused(
    "nesting",
    onnx.oneNode(
      onnx.node("If", ["x"], ["y"], { attributes: [onnx.attributeGraph("then_branch", nested(40))] }),
    ),
    "limit-exceeded",
    /more than 100 messages deep/,
  ),
  refused(
    "a long name",
    onnx.oneNode(onnx.node("A".repeat(5000), ["x"], ["y"])),
    "limit-exceeded",
    /5000 bytes .* limit of 4096/,
  ),
  refused(
    "many names",
    onnx.oneNode(identity, { initializers: [onnx.tensor("w".repeat(600), 1, [1])] }),
    "limit-exceeded",
    /names of inputs/,
    { namesTotalBytes: 1000 },
  ),
  refused(
    "many inputs",
    onnx.oneNode(identity, { inputs: [onnx.value("x", 1, []), onnx.value("z", 1, [])] }),
    "limit-exceeded",
    /inputs or outputs/,
    { values: 1 },
  ),
  refused(
    "many dimensions",
    initializer(...new Array<number>(65).fill(1)),
    "limit-exceeded",
    /more than 64 dimensions/,
  ),
  refused(
    "much metadata",
    onnx.oneNode(identity, {
      model: [
        onnx.message(14, onnx.bytes(1, "a"), onnx.bytes(2, "b".repeat(600_000))),
        onnx.message(14, onnx.bytes(1, "c"), onnx.bytes(2, "b".repeat(600_000))),
      ],
    }),
    "limit-exceeded",
    /metadata/,
  ),
  refused(
    "many opsets",
    onnx.oneNode(identity, { model: [onnx.opset("a", 1), onnx.opset("b", 1)] }),
    "limit-exceeded",
    /operator sets/,
    { entries: 2 },
  ),
  refused(
    "many functions",
    onnx.oneNode(identity, { model: ["A", "B", "C"].map((name) => onnx.message(25, onnx.bytes(1, name))) }),
    "limit-exceeded",
    /local functions/,
    { entries: 2 },
  ),
  refused(
    "many fields",
    onnx.concat(valid, onnx.int(93, 1), onnx.int(93, 1)),
    "limit-exceeded",
    /protobuf fields/,
    { fields: 25 },
  ),
]

suite("refusals of content", cases)
