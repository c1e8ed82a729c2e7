/** Examples of traffic policies. */
import type { OperationExamples } from "./OperationExample.ts"

export const trafficExamples: OperationExamples = {
  "traffic.get": {
    answer: {
      split: [
        { version: "production", weight: 90 },
        { version: 2, weight: 10 },
      ],
      sticky: "header:x-user",
      shadow: [{ version: 2, percent: 5 }],
      rollback: { errorRate: 0.05, windowSeconds: 60, minRequests: 100 },
      revision: 1,
      updatedAt: "2026-11-26T09:02:49.554Z",
      updatedBy: null,
    },
  },
  "traffic.set": {
    body: {
      split: [
        { version: "production", weight: 90 },
        { version: 2, weight: 10 },
      ],
      sticky: "header:x-user",
      shadow: [{ version: 2, percent: 5 }],
      rollback: { errorRate: 0.05, windowSeconds: 60, minRequests: 100 },
      reason: "try the new vintage",
    },
    answer: {
      split: [
        { version: "production", weight: 90 },
        { version: 2, weight: 10 },
      ],
      sticky: "header:x-user",
      shadow: [{ version: 2, percent: 5 }],
      rollback: { errorRate: 0.05, windowSeconds: 60, minRequests: 100 },
      revision: 1,
      updatedAt: "2026-11-26T09:02:49.554Z",
      updatedBy: null,
    },
  },
  "traffic.remove": {},
  "traffic.shadow": {
    answer: {
      items: [
        {
          version: 2,
          since: "2026-11-26T09:02:49.578Z",
          compared: 0,
          errors: 0,
          dropped: 0,
          unlike: 0,
          window: 0,
          difference: null,
          unequal: null,
          primaryMs: null,
          shadowMs: null,
        },
      ],
    },
  },
  "traffic.history": {
    answer: {
      items: [
        {
          revision: 1,
          from: null,
          policy: {
            split: [
              { version: "production", weight: 90 },
              { version: 2, weight: 10 },
            ],
            sticky: "header:x-user",
            shadow: [{ version: 2, percent: 5 }],
            rollback: { errorRate: 0.05, windowSeconds: 60, minRequests: 100 },
          },
          updatedAt: "2026-11-26T09:02:49.554Z",
          updatedBy: null,
          reason: "try the new vintage",
        },
      ],
      nextCursor: null,
    },
  },
}
