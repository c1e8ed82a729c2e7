/** Examples of the Open Inference Protocol. */
import type { OperationExamples } from "./OperationExample.ts"

const never = { count: 0, ns: 0 }

const statistics = {
  model_stats: [
    {
      name: "wine",
      version: "1",
      last_inference: 1_795_685_172_924,
      inference_count: 1,
      execution_count: 1,
      inference_stats: {
        success: { count: 1, ns: 3_305_093 },
        fail: never,
        queue: { count: 1, ns: 2_490_674 },
        compute_input: { count: 1, ns: 0 },
        compute_infer: { count: 1, ns: 278_001 },
        compute_output: { count: 1, ns: 536_418 },
        cache_hit: never,
        cache_miss: never,
      },
      response_stats: {},
      batch_stats: [
        {
          batch_size: 1,
          compute_input: { count: 1, ns: 0 },
          compute_infer: { count: 1, ns: 278_001 },
          compute_output: { count: 1, ns: 159_988 },
        },
      ],
      memory_usage: [{ type: "CPU", id: 0, byte_size: 18_372 }],
    },
  ],
}

const config = {
  name: "wine",
  platform: "onnxruntime_onnx",
  backend: "onnxruntime",
  version_policy: { specific: { versions: [1] } },
  max_batch_size: 0,
  input: [{ name: "features", data_type: "TYPE_FP32", dims: [-1, 13] }],
  output: [
    { name: "label", data_type: "TYPE_INT64", dims: [-1] },
    { name: "probabilities", data_type: "TYPE_FP32", dims: [-1, 3] },
  ],
}

export const inferenceProtocolExamples: OperationExamples = {
  "inferenceProtocol.models": { answer: { models: ["diabetes", "digits", "wine"] } },
  "inferenceProtocol.statistics": { answer: statistics },
  "inferenceProtocol.modelStatistics": { answer: statistics },
  "inferenceProtocol.versionStatistics": { answer: statistics },
  "inferenceProtocol.modelConfig": { answer: config },
  "inferenceProtocol.versionConfig": { answer: config },
  "inferenceProtocol.server": {
    answer: {
      name: "modelforge",
      version: "0.0.0",
      extensions: ["classification", "model_repository", "schedule_policy", "binary_tensor_data"],
    },
  },
  "inferenceProtocol.live": { answer: { live: true } },
  "inferenceProtocol.ready": { answer: { ready: true }, refusals: { 503: { ready: false } } },
  "inferenceProtocol.model": {
    answer: {
      name: "wine",
      versions: ["1"],
      platform: "onnx_onnxv1",
      inputs: [{ name: "features", datatype: "FP32", shape: [-1, 13] }],
      outputs: [
        { name: "label", datatype: "INT64", shape: [-1] },
        { name: "probabilities", datatype: "FP32", shape: [-1, 3] },
      ],
    },
  },
  "inferenceProtocol.version": {
    answer: {
      name: "wine",
      versions: ["1"],
      platform: "onnx_onnxv1",
      inputs: [{ name: "features", datatype: "FP32", shape: [-1, 13] }],
      outputs: [
        { name: "label", datatype: "INT64", shape: [-1] },
        { name: "probabilities", datatype: "FP32", shape: [-1, 3] },
      ],
    },
  },
  "inferenceProtocol.modelReady": { answer: { name: "wine", ready: true } },
  "inferenceProtocol.versionReady": { answer: { name: "wine", ready: true } },
  "inferenceProtocol.infer": {
    body: {
      id: "bottle-1",
      inputs: [
        {
          name: "features",
          datatype: "FP32",
          shape: [1, 13],
          data: [13.77, 1.9, 2.68, 17.1, 115, 3, 2.79, 0.39, 1.68, 6.3, 1.13, 2.93, 1375],
        },
      ],
    },
    answer: {
      model_name: "wine",
      model_version: "1",
      id: "bottle-1",
      outputs: [
        { name: "label", datatype: "INT64", shape: [1], data: [0] },
        {
          name: "probabilities",
          datatype: "FP32",
          shape: [1, 3],
          data: [0.999147891998291, 0.0004552686295937747, 0.00039682266651652753],
        },
      ],
    },
  },
  "inferenceProtocol.inferVersion": {
    body: {
      id: "bottle-1",
      inputs: [
        {
          name: "features",
          datatype: "FP32",
          shape: [1, 13],
          data: [13.77, 1.9, 2.68, 17.1, 115, 3, 2.79, 0.39, 1.68, 6.3, 1.13, 2.93, 1375],
        },
      ],
    },
    answer: {
      model_name: "wine",
      model_version: "1",
      id: "bottle-1",
      outputs: [
        { name: "label", datatype: "INT64", shape: [1], data: [0] },
        {
          name: "probabilities",
          datatype: "FP32",
          shape: [1, 3],
          data: [0.999147891998291, 0.0004552686295937747, 0.00039682266651652753],
        },
      ],
    },
  },
  "inferenceProtocol.repositoryIndex": {
    answer: [
      { name: "diabetes", version: "1", state: "READY", reason: "" },
      { name: "digits", version: "1", state: "READY", reason: "" },
      { name: "wine", version: "1", state: "READY", reason: "" },
    ],
  },
  "inferenceProtocol.repositoryLoad": { parameters: { model: "diabetes" }, answer: {} },
  "inferenceProtocol.repositoryUnload": { parameters: { model: "diabetes" }, answer: {} },
}
