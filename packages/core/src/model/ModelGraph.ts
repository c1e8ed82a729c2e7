/**
 * A model's graph for people to look at: laid out and folded, so that a viewer only draws. It is computed once, while
 * the file is uploaded, and never changes.
 */
import { Schema } from "effect"
import { Dimension } from "./Signature.ts"

/** What an operator does, for colours and legends. */
export const OperatorFamily = Schema.Literals([
  "convolution",
  "linear",
  "activation",
  "normalization",
  "pooling",
  "shape",
  "elementwise",
  "reduction",
  "quantization",
  "control-flow",
  "recurrent",
  "attention",
  "other",
])
export type OperatorFamily = typeof OperatorFamily.Type

/** A tensor by name. Names and symbolic dimensions that are very long end with `…`. */
export const GraphTensor = Schema.Struct({
  name: Schema.String,
  /** A datatype of the protocol, or ONNX's name for one that is only used inside models: `bfloat16`; null when unknown. */
  datatype: Schema.NullOr(Schema.String),
  /** Null when unknown. */
  shape: Schema.NullOr(Schema.Array(Dimension)),
}).annotate({ identifier: "GraphTensor" })
export type GraphTensor = typeof GraphTensor.Type

/** An attribute of a node. */
export const GraphAttribute = Schema.Struct({
  name: Schema.String,
  /**
   * A number, a text, or a list of them, of which the first are given. What JSON has no number for is a text, `NaN`
   * or `Infinity`. Null for tensors, for graphs, and for types.
   */
  value: Schema.NullOr(
    Schema.Union([Schema.Finite, Schema.String, Schema.Array(Schema.Union([Schema.Finite, Schema.String]))]),
  ),
  /** Elements of the whole list, or bytes of the whole text, when `value` is only its beginning; else null. */
  length: Schema.NullOr(Schema.Int),
  /** What a tensor is, without its elements; null when the attribute is none. */
  tensor: Schema.NullOr(GraphTensor),
}).annotate({ identifier: "GraphAttribute" })
export type GraphAttribute = typeof GraphAttribute.Type

/** Where a box is drawn: its upper left corner and its size, in pixels of an unscaled view. */
const place = {
  x: Schema.Finite,
  y: Schema.Finite,
  width: Schema.Finite,
  height: Schema.Finite,
}

/** Something inside a box: the index of a view, and what it is: `contents`, or the attribute that holds it, `then_branch`. */
const Inside = Schema.Struct({ label: Schema.String, view: Schema.Int })

/** A tensor that comes into the view or leaves it, or a stored one that no node of the view takes. */
export const TensorBox = Schema.Struct({
  /** Unique in its view. */
  id: Schema.String,
  kind: Schema.Literals(["input", "output", "initializer"]),
  tensor: GraphTensor,
  ...place,
}).annotate({ identifier: "TensorBox" })

export const NodeBox = Schema.Struct({
  /** Unique in its view. */
  id: Schema.String,
  kind: Schema.Literal("node"),
  /** The node's own name; often empty. */
  name: Schema.String,
  operator: Schema.String,
  /** `ai.onnx` for ONNX's own operators. */
  domain: Schema.String,
  family: OperatorFamily,
  attributes: Schema.Array(GraphAttribute),
  /** What it takes, but for its stored tensors. */
  inputs: Schema.Array(GraphTensor),
  outputs: Schema.Array(GraphTensor),
  /** The stored tensors that it takes, and constants. */
  initializers: Schema.Array(GraphTensor),
  /** Elements of its initializers. */
  parameters: Schema.Int,
  /** The graphs in its attributes: bodies of If, Loop and Scan. */
  inside: Schema.Array(Inside),
  ...place,
}).annotate({ identifier: "NodeBox" })

/** Several nodes, drawn as one. */
export const GroupBox = Schema.Struct({
  /** Unique in its view. */
  id: Schema.String,
  kind: Schema.Literal("group"),
  /** For people: the part of their names that its nodes share, or its most frequent operators. */
  name: Schema.String,
  /** Nodes it holds, without those of subgraphs. */
  nodes: Schema.Int,
  /** How often each operator occurs in it; operators outside `ai.onnx` carry their domain. */
  operators: Schema.Record(Schema.String, Schema.Int),
  /** Elements of the initializers that its nodes take. */
  parameters: Schema.Int,
  /** Groups of one view with the same number are the same sequence of operators; null when no other is. */
  pattern: Schema.NullOr(Schema.Int),
  /** Its nodes; empty where the graph leaves them out. */
  inside: Schema.Array(Inside),
  ...place,
}).annotate({ identifier: "GroupBox" })

export const GraphBox = Schema.Union([TensorBox, NodeBox, GroupBox])
export type GraphBox = typeof GraphBox.Type

/** All that goes from one box to another, as one line. */
export const GraphEdge = Schema.Struct({
  /** Ids of boxes of the same view. */
  from: Schema.String,
  to: Schema.String,
  /** The first tensors that go this way. */
  tensors: Schema.Array(GraphTensor),
  /** How many tensors go this way in all. */
  count: Schema.Int,
  /** Where a long line bends to go round other boxes, top to bottom. */
  bends: Schema.Array(Schema.Struct({ x: Schema.Finite, y: Schema.Finite })),
}).annotate({ identifier: "GraphEdge" })
export type GraphEdge = typeof GraphEdge.Type

/** One drawing: the model's graph, the graph in an attribute, or what a group holds. Drawn from top to bottom. */
export const GraphView = Schema.Struct({
  kind: Schema.Literals(["graph", "subgraph", "group"]),
  name: Schema.String,
  /** Nodes it stands for, without those of subgraphs. */
  nodes: Schema.Int,
  boxes: Schema.Array(GraphBox),
  edges: Schema.Array(GraphEdge),
  width: Schema.Finite,
  height: Schema.Finite,
}).annotate({ identifier: "GraphView" })
export type GraphView = typeof GraphView.Type

export const ModelGraph = Schema.Struct({
  /** The first is the whole model; the others are inside boxes. */
  views: Schema.Array(GraphView),
  /** Nothing was left out, but for the ends of long texts and lists. */
  complete: Schema.Boolean,
  /** For people: what was left out, because the model is beyond a limit. */
  notes: Schema.Array(Schema.String),
}).annotate({ identifier: "ModelGraph" })
export type ModelGraph = typeof ModelGraph.Type
