import { Effect } from "effect"
import { Guard } from "../../src/guard/Guard.ts"
import { mountWeb } from "../Mount.ts"
import { accessSuite } from "./accessSuite.ts"
import { keyHeaders, userHeaders } from "./callers.ts"

accessSuite(
  "a Web handler",
  Effect.gen(function* () {
    const { call, context } = yield* mountWeb({}, Guard.layer())
    return {
      call,
      key: (scopes, models) => Effect.provide(keyHeaders(scopes, models), context),
      user: (role, disabled) => Effect.provide(userHeaders(role, disabled), context),
    }
  }),
)
