/** Examples of descriptions of models, cut short. */
import type { OperationExamples } from "./OperationExample.ts"

const document = {
  openapi: "3.1.0",
  info: { title: "wine", version: "1" },
  servers: [{ url: "../../.." }],
  paths: {
    "/v1/models/wine/predict": {
      post: {
        operationId: "predict",
        requestBody: {
          required: true,
          content: {
            "application/json": {
              schema: {
                type: "object",
                required: ["inputs"],
                properties: {
                  inputs: {
                    type: "object",
                    required: ["features"],
                    properties: {
                      features: {
                        type: "array",
                        description: '"batch"',
                        minItems: 1,
                        items: { type: "array", minItems: 13, maxItems: 13, items: { type: "number" } },
                      },
                    },
                  },
                },
              },
            },
          },
        },
        responses: { "200": { description: "The outputs" } },
      },
    },
  },
}

export const descriptionsExamples: OperationExamples = {
  "descriptions.model": { answer: document },
  "descriptions.version": { answer: document },
}
