/** Examples of graphs and comparisons. */
import type { OperationExamples } from "./OperationExample.ts"

export const inspectionExamples: OperationExamples = {
  "inspection.graph": {
    answer: {
      views: [
        {
          kind: "graph",
          name: "main_graph",
          nodes: 7,
          boxes: [
            {
              id: "input-0",
              kind: "input",
              tensor: { name: "features", datatype: "FP32", shape: ["batch", 13] },
              width: 176,
              height: 40,
              x: 106,
              y: 0,
            },
            {
              id: "node-0",
              kind: "node",
              name: "node_sub",
              operator: "Sub",
              domain: "ai.onnx",
              family: "elementwise",
              attributes: [],
              inputs: [{ name: "features", datatype: "FP32", shape: ["batch", 13] }],
              outputs: [{ name: "sub", datatype: "FP32", shape: ["batch", 13] }],
              initializers: [{ name: "net.mean", datatype: "FP32", shape: [13] }],
              parameters: 13,
              inside: [],
              width: 176,
              height: 56,
              x: 106,
              y: 74,
            },
          ],
          edges: [
            {
              from: "input-0",
              to: "node-0",
              tensors: [{ name: "features", datatype: "FP32", shape: ["batch", 13] }],
              count: 1,
              bends: [],
            },
          ],
          width: 388,
          height: 696,
        },
      ],
      complete: true,
      notes: [],
    },
  },
  "inspection.compare": {
    parameters: { to: "2" },
    answer: {
      from: {
        model: "wine",
        version: 1,
        digest: "57043184616a342b4868373c4da3858a65ae759937c9ef23ce2ed7cf725c6a7d",
      },
      to: {
        model: "wine",
        version: 2,
        digest: "b13824dc8865ee96832075dbc3e45bf0b1aa5596193c4a531db7669e7e3df8c2",
      },
      compatible: true,
      signature: [],
      operators: [],
      opsets: [],
      metadata: [],
      parameters: { from: 573, to: 573 },
      nodes: { from: 7, to: 7 },
      size: { from: 9186, to: 9191 },
      irVersion: { from: 10, to: 10 },
      producer: { from: "pytorch 2.13.0+cpu", to: "pytorch 2.13.0+cpu" },
    },
  },
}
