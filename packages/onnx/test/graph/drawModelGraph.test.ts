import { assert, describe, it } from "@effect/vitest"
import { exampleBytes } from "../exampleModels.ts"
import * as onnx from "../onnxFile.ts"
import { chain } from "./chain.ts"
import { draw, lines, mainView, nodeBox } from "./drawing.ts"

const { elementType: type } = onnx
const x = onnx.value("x", type.FP32, ["n"])
const y = onnx.value("y", type.FP32, ["n"])

describe("the graph of a small model", () => {
  it("has its nodes, tensors, attributes and weights", () => {
    const graph = draw(exampleBytes("digits"))
    const view = mainView(graph)
    assert.isTrue(graph.complete)
    assert.lengthOf(graph.views, 1)
    assert.strictEqual(view.nodes, 11)
    assert.deepInclude(lines(view), "image > Conv: batch,1,8,8")
    assert.deepInclude(lines(view), "Softmax > probabilities: batch,10")
    const { attributes, initializers, inputs, outputs, ...conv } = nodeBox(view, "Conv")
    assert.deepInclude(conv, {
      domain: "ai.onnx",
      family: "convolution",
      parameters: 160,
      inside: [],
      width: 176,
      height: 56,
    })
    assert.deepInclude(attributes, { name: "kernel_shape", value: [3, 3], length: null, tensor: null })
    assert.deepInclude(attributes, { name: "auto_pad", value: "NOTSET", length: null, tensor: null })
    assert.deepStrictEqual(initializers, [
      { name: "net.0.weight", datatype: "FP32", shape: [16, 1, 3, 3] },
      { name: "net.0.bias", datatype: "FP32", shape: [16] },
    ])
    assert.deepStrictEqual(inputs, [{ name: "image", datatype: "FP32", shape: ["batch", 1, 8, 8] }])
    assert.deepStrictEqual(outputs, [{ name: "conv2d", datatype: "FP32", shape: ["batch", 16, 8, 8] }])
  })

  it("joins what goes the same way into one line, and shows constants inside who takes them", () => {
    const view = mainView(
      draw(
        onnx.oneNode(new Uint8Array(), {
          nodes: [
            onnx.node("Constant", [], ["c"], {
              attributes: [onnx.attributeTensor("value", onnx.tensor("", type.INT64, [2]))],
            }),
            onnx.node("Split", ["x", "c"], ["a", "b"]),
            onnx.node("Concat", ["a", "b", "a", ""], ["y"]),
          ],
        }),
      ),
    )
    assert.deepStrictEqual(lines(view), ["x > Split: n", "Split > Concat: ?", "Concat > y: n"])
    assert.strictEqual(view.edges[1]?.count, 2)
    assert.deepStrictEqual(nodeBox(view, "Split").initializers, [
      { name: "c", datatype: "INT64", shape: [2] },
    ])
    assert.strictEqual(nodeBox(view, "Split").parameters, 0)
    assert.strictEqual(view.nodes, 3)
  })

  it("shows stored tensors and constants that are outputs themselves", () => {
    const view = mainView(
      draw(
        onnx.model({
          nodes: [onnx.node("Constant", [], ["k"], { attributes: [onnx.attributeInt("value_int", 3)] })],
          initializers: [onnx.tensor("w", type.FP32, [2])],
          outputs: [onnx.value("w", type.FP32, [2]), onnx.value("k", type.INT64, [])],
        }),
      ),
    )
    assert.deepStrictEqual(lines(view), ["w > w: 2", "Constant > k: "])
  })

  it("shortens what is long: lists, texts and names", () => {
    const long = (field: number, ...parts: ReadonlyArray<Uint8Array>) =>
      onnx.concat(onnx.bytes(1, `a${field}`), ...parts)
    const floats = new Float32Array(1000).fill(0.1)
    const view = mainView(
      draw(
        onnx.oneNode(
          onnx.node("Op", ["x"], ["y"], {
            name: "n".repeat(500),
            domain: "ai.onnx.ml",
            attributes: [
              long(8, ...Array.from({ length: 20 }, (_, at) => onnx.int(8, at - 1))),
              long(80, onnx.bytes(8, onnx.concat(...Array.from({ length: 300 }, () => onnx.varint(7))))),
              long(7, ...Array.from({ length: 3 }, () => onnx.fixed32(7, 0.1))),
              long(70, onnx.bytes(7, new Uint8Array(floats.buffer))),
              long(2, onnx.fixed32(2, Number.NaN)),
              long(20, onnx.fixed32(2, 1 / 3)),
              long(4, onnx.bytes(4, "s".repeat(1000))),
              long(9, ...Array.from({ length: 17 }, () => onnx.bytes(9, "é"))),
              long(
                10,
                onnx.bytes(10, onnx.tensor("t", type.int4, [3])),
                onnx.bytes(10, onnx.tensor("", 1, [])),
              ),
              long(22, onnx.message(22, onnx.bytes(1, onnx.tensor("v", type.FP32, [0])), onnx.int(3, 5))),
              long(3, onnx.int(20, 2)),
              long(0, onnx.int(20, 7)),
              long(14, onnx.bytes(14, onnx.message(1, onnx.int(1, 1)))),
            ],
          }),
        ),
      ),
    )
    const { name, attributes } = nodeBox(view, "Op")
    assert.strictEqual(name, `${"n".repeat(127)}…`)
    const none = { length: null, tensor: null }
    assert.deepStrictEqual(attributes, [
      { ...none, name: "a8", value: Array.from({ length: 16 }, (_, at) => at - 1), length: 20 },
      { ...none, name: "a80", value: Array(16).fill(7), length: 300 },
      { ...none, name: "a7", value: [0.1, 0.1, 0.1] },
      { ...none, name: "a70", value: Array(16).fill(0.1), length: 1000 },
      { ...none, name: "a2", value: "NaN" },
      { ...none, name: "a20", value: 0.33333334 },
      { ...none, name: "a4", value: "s".repeat(128), length: 1000 },
      { ...none, name: "a9", value: Array(16).fill("é"), length: 17 },
      { name: "a10", value: null, length: 2, tensor: { name: "t", datatype: "int4", shape: [3] } },
      { name: "a22", value: null, length: null, tensor: { name: "v", datatype: "FP32", shape: [5] } },
      { ...none, name: "a3", value: 0 },
      { ...none, name: "a0", value: [] },
      { ...none, name: "a14", value: null },
    ])
  })

  it("draws graphs whose nodes are out of order", () => {
    const view = mainView(
      draw(
        onnx.oneNode(new Uint8Array(), {
          nodes: [onnx.node("Relu", ["a"], ["y"]), onnx.node("Abs", ["x"], ["a"])],
        }),
      ),
    )
    assert.sameMembers([...lines(view)], ["x > Abs: n", "Abs > Relu: ?", "Relu > y: n"])
  })
})

describe("a hostile graph", () => {
  it("is drawn as well as it can be, or not at all", () => {
    const relu = (input: string, output: string) => onnx.node("Relu", [input], [output])
    const body = onnx.graph({ name: "__proto__", nodes: [relu("y", "y")], outputs: [y] })
    const view = mainView(
      draw(
        onnx.model({
          nodes: [
            // Itself, a circle, an output that is made twice or is an input, and names that objects have.
            relu("a", "a"),
            relu("b", "c"),
            relu("c", "b"),
            relu("c", "x"),
            relu("x", "y"),
            relu("x", "y"),
            onnx.node("Constant", [], ["__proto__"], { attributes: [onnx.attributeInt("constructor", 1)] }),
            onnx.node("__proto__", ["__proto__", "", "w"], ["", "toString"], {
              attributes: [onnx.attributeGraph("__proto__", body)],
            }),
            onnx.node("Constant", [], []),
          ],
          initializers: [onnx.tensor("x", type.FP32, [1]), onnx.tensor("w", 99, [1])],
          inputs: [x],
          outputs: [y],
        }),
      ),
    )
    assert.strictEqual(view.nodes, 9)
    assert.lengthOf(
      view.boxes.filter(({ kind }) => kind === "node"),
      9,
    )
    assert.deepStrictEqual(nodeBox(view, "__proto__").initializers, [
      { name: "w", datatype: null, shape: [1] },
    ])
  })

  it("of subgraphs in subgraphs is drawn to the bottom", () => {
    const nested = (depth: number): Uint8Array =>
      onnx.graph({
        nodes: [
          onnx.node("If", ["c"], ["y"], {
            attributes: depth === 0 ? [] : [onnx.attributeGraph("then_branch", nested(depth - 1))],
          }),
        ],
        outputs: [y],
      })
    const graph = draw(
      onnx.concat(
        onnx.int(1, 8),
        onnx.opset("", 17),
        onnx.bytes(7, onnx.concat(nested(30), onnx.bytes(11, onnx.value("c", type.BOOL, [])))),
      ),
    )
    assert.lengthOf(graph.views, 31)
    assert.isTrue(graph.views.every((view) => lines(view).includes("c > If: ")))
  })
})

describe("subgraphs", () => {
  it("are views of their own, with what they take from around them", () => {
    const branch = (operator: string) =>
      onnx.graph({
        name: `${operator} branch`,
        nodes: [onnx.node(operator, ["a", "w"], ["z"])],
        outputs: [onnx.value("z", type.FP32, ["n"])],
      })
    const graph = draw(
      onnx.model({
        nodes: [
          onnx.node("Abs", ["x"], ["a"]),
          onnx.node("If", ["c"], ["y"], {
            attributes: [
              onnx.attributeGraph("then_branch", branch("Add")),
              onnx.attributeGraph("else_branch", branch("Sub")),
            ],
          }),
        ],
        initializers: [onnx.tensor("w", type.FP32, [7])],
        inputs: [x, onnx.value("c", type.BOOL, [])],
        outputs: [y],
      }),
    )
    const view = mainView(graph)
    assert.sameMembers([...lines(view)], ["x > Abs: n", "Abs > If: ?", "c > If: ", "If > y: n"])
    const { inside, initializers, family } = nodeBox(view, "If")
    assert.strictEqual(family, "control-flow")
    assert.deepStrictEqual(inside, [
      { label: "then_branch", view: 1 },
      { label: "else_branch", view: 2 },
    ])
    assert.deepStrictEqual(initializers, [{ name: "w", datatype: "FP32", shape: [7] }])
    const [, then] = graph.views
    assert.deepInclude(then, { kind: "subgraph", name: "Add branch", nodes: 1 })
    if (then === undefined) throw new Error("no view")
    assert.deepStrictEqual(lines(then), ["a > Add: ?", "Add > z: n"])
    assert.deepStrictEqual(nodeBox(then, "Add").initializers, [{ name: "w", datatype: "FP32", shape: [7] }])
  })
})

describe("the graph of a large model", () => {
  it("is folded into repeated blocks, whose contents are views", () => {
    const graph = draw(chain(350))
    assert.isTrue(graph.complete)
    const view = mainView(graph)
    assert.strictEqual(view.nodes, 350)
    assert.isBelow(view.boxes.length, 70)
    const groups = view.boxes.filter((box) => box.kind === "group")
    assert.isAbove(groups.length, 40)
    const held = groups.reduce((total, { nodes }) => total + nodes, 0)
    assert.strictEqual(held + view.boxes.filter(({ kind }) => kind === "node").length, 350)
    const [group] = groups
    assert.deepInclude(group, {
      nodes: 7,
      operators: { MatMul: 1, Add: 1, Relu: 1, LayerNormalization: 1, Mul: 1, Softmax: 1, Transpose: 1 },
      pattern: 0,
    })
    assert.isAbove(group?.parameters ?? 0, 80)
    const inner = graph.views[group?.inside[0]?.view ?? -1]
    assert.deepInclude(inner, { kind: "group", nodes: 7 })
    assert.isAbove(inner?.edges.length ?? 0, 7)
    assert.isTrue(inner?.boxes.some(({ kind }) => kind === "input"))
    assert.isTrue(inner?.boxes.some(({ kind }) => kind === "output"))
  })

  it("names a group by the scope that its nodes share", () => {
    const graph = draw(chain(350))
    const names = mainView(graph).boxes.flatMap((box) => (box.kind === "group" ? [box.name] : []))
    assert.isTrue(names.every((name) => name.startsWith("/layers")))
  })

  it("beyond the limits is cut off, never refused", () => {
    const whole = draw(chain(100))
    const few = draw(chain(300), { graphNodes: 100 })
    assert.strictEqual(mainView(few).nodes, 100)
    assert.match(few.notes.join(), /last 200 nodes/)
    const little = draw(chain(300), { graphScanBytes: 20_000 })
    assert.isBelow(mainView(little).nodes, 300)
    assert.match(little.notes.join(), /nodes are left out.*tensors are left out/)
    const plain = draw(chain(100), { graphBytes: JSON.stringify(whole.views[0]).length - 100 })
    assert.match(plain.notes.join(), /attributes and tensors of some nodes/)
    const nothing = draw(chain(300), { graphBytes: 1000 })
    assert.match(nothing.notes.join(), /drawing of the model is beyond the limit/)
    assert.deepStrictEqual(mainView(nothing).boxes, [])
  })

  it("with very many inputs draws the first", () => {
    const inputs = Array.from({ length: 100 }, (_, at) => onnx.value(`x${at}`, type.FP32, []))
    const graph = draw(
      onnx.model({
        nodes: [
          onnx.node(
            "Sum",
            inputs.map((_, at) => `x${at}`),
            ["y"],
          ),
        ],
        inputs,
        outputs: [y],
      }),
    )
    assert.lengthOf(mainView(graph).boxes, 64 + 2)
    assert.match(graph.notes.join(), /very many inputs/)
  })

  it("keeps little of one node that names a great deal", () => {
    const names = Array.from({ length: 2000 }, (_, at) => `${at}${"i".repeat(1000)}`)
    const graph = draw(onnx.oneNode(onnx.node("Sum", ["x", ...names], ["y"])))
    assert.deepStrictEqual(lines(mainView(graph)), ["x > Sum: n"])
    assert.match(graph.notes.join(), /Names or types of \d+ tensors/)
  })
})
