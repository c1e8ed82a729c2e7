/** The version that most examples are about. */
export const wineVersion = {
  model: "wine",
  version: 1,
  digest: "57043184616a342b4868373c4da3858a65ae759937c9ef23ce2ed7cf725c6a7d",
  size: 9186,
  state: "ready",
  reason: null,
  signature: {
    inputs: [{ name: "features", datatype: "FP32", shape: ["batch", 13] }],
    outputs: [
      { name: "label", datatype: "INT64", shape: ["batch"] },
      { name: "probabilities", datatype: "FP32", shape: ["batch", 3] },
    ],
  },
  summary: {
    irVersion: 10,
    opsets: { "ai.onnx": 18 },
    producer: "pytorch 2.13.0+cpu",
    parameters: 573,
    nodes: 7,
    operators: { Sub: 1, Div: 1, Gemm: 2, Relu: 1, Softmax: 1, ArgMax: 1 },
    metadata: { labels: '["class_0", "class_1", "class_2"]' },
    docString: "13 chemical measurements of a wine, unscaled, to its cultivar.",
  },
  createdAt: "2026-11-26T09:02:47.955Z",
  createdBy: null,
  description: "Thirteen chemical measures of a wine to its cultivar",
  serving: { state: "serving", reason: null },
}
