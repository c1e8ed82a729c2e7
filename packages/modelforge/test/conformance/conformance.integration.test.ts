/**
 * The rules of the Open Inference Protocol, each by the number of its section, on a real server with real models, asked by a
 * client that knows nothing of either. What hosts have in common is in `packages/http/test/protocol`.
 */
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { binaryRules } from "./binary.ts"
import { clientRules } from "./clients.ts"
import { datatypeRules } from "./datatypes.ts"
import { extensionRules } from "./extensions.ts"
import { jsonRules } from "./json.ts"
import { pathRules } from "./paths.ts"
import { statusRules } from "./statuses.ts"
import { world } from "./world.ts"

const sections = {
  "1.1 paths": pathRules,
  "1.2 JSON": jsonRules,
  "1.3 datatypes": datatypeRules,
  "1.4 statuses": statusRules,
  "2 binary tensor data": binaryRules,
  "3 extensions": extensionRules,
  "5 what clients send": clientRules,
}

for (const [section, rules] of Object.entries(sections))
  describe(section, () => {
    for (const [title, check] of rules)
      it.live(title, () => Effect.flatMap(world, (opened) => Effect.promise(() => check(opened))))
  })
