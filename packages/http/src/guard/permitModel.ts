/** For models that are named elsewhere than in the path, where the guard does not see them. */
import type { ForbiddenProblem } from "@modelforge/api"
import { CurrentIdentity, mayUse } from "@modelforge/core"
import { Effect } from "effect"
import { modelForbidden } from "./refusals.ts"

export const permitModel = (model: string): Effect.Effect<void, ForbiddenProblem> =>
  Effect.flatMap(CurrentIdentity, (identity) =>
    mayUse(identity, model) ? Effect.void : Effect.fail(modelForbidden(model)),
  )
