/** Every route of ModelForge, still open in the engine and in the HTTP platform: the host decides both. */
import { ForgeApi } from "@modelforge/api"
import { Layer } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { layerGuard } from "./guard/layerGuard.ts"
import { layerAliases } from "./handlers/aliases.ts"
import { layerAudit } from "./handlers/audit.ts"
import { layerAuth } from "./handlers/auth.ts"
import { layerDescriptions } from "./handlers/descriptions.ts"
import { layerInferenceProtocol } from "./handlers/inferenceProtocol.ts"
import { layerInspection } from "./handlers/inspection.ts"
import { layerKeys } from "./handlers/keys.ts"
import { layerModels } from "./handlers/models.ts"
import { layerPredict } from "./handlers/predict.ts"
import { layerSystem } from "./handlers/system.ts"
import { layerTraffic } from "./handlers/traffic.ts"
import { layerUploads } from "./handlers/uploads.ts"
import { layerUsers } from "./handlers/users.ts"
import { layerVersions } from "./handlers/versions.ts"
import { layerIdempotentRequests } from "./idempotency/layerIdempotentRequests.ts"
import { layerDocs } from "./layerDocs.ts"
import { layerPassage } from "./protection/layerPassage.ts"
import {
  layerFallback,
  layerInferenceProtocolRefusals,
  layerRequestProblems,
  openapiPath,
} from "./requestProblems.ts"

export const layerRoutes = Layer.mergeAll(
  // Before the guard: what it refuses has the same headers as everything else.
  layerPassage,
  HttpApiBuilder.layer(ForgeApi, { openapiPath }),
  layerDocs,
  layerFallback,
  layerGuard,
).pipe(
  Layer.provide([
    layerSystem,
    layerModels,
    layerVersions,
    layerUploads,
    layerAliases,
    layerDescriptions,
    layerTraffic,
    layerInspection,
    layerKeys,
    layerUsers,
    layerAuth,
    layerAudit,
    layerPredict,
    layerInferenceProtocol,
  ]),
  // After the handlers: they need the middleware too.
  Layer.provide([layerRequestProblems, layerInferenceProtocolRefusals, layerIdempotentRequests]),
)
