/** Examples of all operations, by their ids. */
import { accessExamples } from "./access.ts"
import { aliasesExamples } from "./aliases.ts"
import { descriptionsExamples } from "./descriptions.ts"
import { inferenceProtocolExamples } from "./inferenceProtocol.ts"
import { inspectionExamples } from "./inspection.ts"
import { modelsExamples } from "./models.ts"
import type { OperationExamples } from "./OperationExample.ts"
import { predictExamples } from "./predict.ts"
import { systemExamples } from "./system.ts"
import { trafficExamples } from "./traffic.ts"
import { uploadsExamples } from "./uploads.ts"
import { versionsExamples } from "./versions.ts"

export const operationExamples: OperationExamples = {
  ...systemExamples,
  ...modelsExamples,
  ...versionsExamples,
  ...uploadsExamples,
  ...inspectionExamples,
  ...aliasesExamples,
  ...descriptionsExamples,
  ...trafficExamples,
  ...predictExamples,
  ...inferenceProtocolExamples,
  ...accessExamples,
}
