/** Examples of predictions. */
import type { OperationExamples } from "./OperationExample.ts"

export const predictExamples: OperationExamples = {
  "predict.predict": {
    body: {
      inputs: { features: [[13.77, 1.9, 2.68, 17.1, 115, 3, 2.79, 0.39, 1.68, 6.3, 1.13, 2.93, 1375]] },
    },
    answer: {
      model: "wine",
      version: 1,
      outputs: {
        label: [0],
        probabilities: [[0.999147891998291, 0.0004552686295937747, 0.00039682266651652753]],
      },
      cache: "bypass",
      timings: { queueMs: 0.366, computeMs: 0.254, totalMs: 1.681 },
      id: "c5421adc-310b-4906-a0f4-cc92bfc7ffd0",
    },
  },
}
