/** Examples of uploads in pieces. */
import type { OperationExamples } from "./OperationExample.ts"
import { wineVersion } from "./wineVersion.ts"

export const uploadsExamples: OperationExamples = {
  "uploads.capabilities": {},
  "uploads.create": {
    parameters: { "upload-length": "9202", "tus-resumable": "1.0.0" },
    answer: {
      id: "c45c89f1-b5f7-4c64-a719-986bd85b47b2",
      model: "wine",
      size: 9202,
      offset: 0,
      state: "receiving",
      expiresAt: "2026-11-27T09:02:49.632Z",
      version: null,
      problem: null,
    },
  },
  "uploads.get": {
    parameters: { "tus-resumable": "1.0.0" },
    answer: {
      id: "c45c89f1-b5f7-4c64-a719-986bd85b47b2",
      model: "wine",
      size: 9202,
      offset: 0,
      state: "receiving",
      expiresAt: "2026-11-27T09:02:49.632Z",
      version: null,
      problem: null,
    },
  },
  "uploads.append": {
    parameters: { "tus-resumable": "1.0.0", "upload-offset": "0" },
    answer: {
      ...wineVersion,
      version: 4,
      digest: "e5695e584fc13a1bc5ab9afd9b65ec33ce450cd2fc4a2f37d40955d22c92b96f",
      size: 9202,
      summary: {
        irVersion: 10,
        opsets: { "ai.onnx": 18 },
        producer: "pytorch 2.13.0+cpu",
        parameters: 573,
        nodes: 7,
        operators: { Sub: 1, Div: 1, Gemm: 2, Relu: 1, Softmax: 1, ArgMax: 1 },
        metadata: { labels: '["class_0", "class_1", "class_2"]' },
        docString: "of 14 letters.",
      },
      createdAt: "2026-11-26T09:02:49.913Z",
      description: "",
      serving: { state: "unloaded", reason: null },
    },
  },
  "uploads.abort": { parameters: { "tus-resumable": "1.0.0" } },
}
