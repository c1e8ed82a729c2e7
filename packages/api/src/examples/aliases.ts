/** Examples of aliases. */
import type { OperationExamples } from "./OperationExample.ts"

export const aliasesExamples: OperationExamples = {
  "aliases.get": {
    answer: { alias: "production", version: 2, updatedAt: "2026-11-26T09:02:49.454Z", updatedBy: null },
  },
  "aliases.move": {
    body: { version: 2, reason: "better on the held-out bottles" },
    answer: { alias: "production", version: 2, updatedAt: "2026-11-26T09:02:49.454Z", updatedBy: null },
  },
  "aliases.history": {
    answer: {
      items: [
        {
          alias: "production",
          version: 2,
          updatedAt: "2026-11-26T09:02:49.454Z",
          updatedBy: null,
          move: 2,
          from: 1,
          reason: "better on the held-out bottles",
          restores: null,
        },
        {
          alias: "production",
          version: 1,
          updatedAt: "2026-11-26T09:02:47.962Z",
          updatedBy: null,
          move: 1,
          from: null,
          reason: null,
          restores: null,
        },
      ],
      nextCursor: null,
    },
  },
  "aliases.rollback": {
    body: { reason: "too many errors" },
    answer: { alias: "production", version: 1, updatedAt: "2026-11-26T09:02:49.504Z", updatedBy: null },
  },
  "aliases.remove": { parameters: { alias: "canary" } },
}
