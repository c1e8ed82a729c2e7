/** Examples of health. */
import type { OperationExamples } from "./OperationExample.ts"

export const systemExamples: OperationExamples = {
  healthz: { answer: { ok: true } },
  readyz: {
    answer: { ready: true, state: "ready", waitingFor: [] },
    refusals: { 503: { ready: false, state: "starting", waitingFor: ["the server to start"] } },
  },
}
