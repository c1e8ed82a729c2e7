import { assert, it } from "@effect/vitest"
import { operatorFamily } from "../../src/graph/operatorFamily.ts"

it("operators have the family of their work, whatever their domain, and others none", () => {
  const families = {
    Conv: "convolution",
    Gemm: "linear",
    MatMulNBits: "linear",
    Relu: "activation",
    Softmax: "activation",
    LayerNormalization: "normalization",
    MaxPool: "pooling",
    Reshape: "shape",
    Add: "elementwise",
    ReduceMean: "reduction",
    ArgMax: "reduction",
    QuantizeLinear: "quantization",
    If: "control-flow",
    LSTM: "recurrent",
    GroupQueryAttention: "attention",
    StringNormalizer: "other",
    constructor: "other",
    "": "other",
  }
  for (const [operator, family] of Object.entries(families)) {
    assert.strictEqual(operatorFamily(operator), family, operator)
  }
})
