/** Handlers of signing in: translate, nothing else. */
import { type Caller, ForgeApi } from "@modelforge/api"
import { CurrentIdentity, type Identity, Users } from "@modelforge/core"
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { answeringAccess } from "./accessFailures.ts"

const nobody = { id: null, name: null, scopes: null, role: null, models: null }

const callerOf = (identity: Identity): Caller => {
  switch (identity._tag) {
    case "Key": {
      const { id, name, scopes, models } = identity.key
      return { kind: "key", id, name, scopes, role: null, models }
    }
    case "User": {
      const { id, name, role } = identity.user
      return { ...nobody, kind: "user", id, name, role }
    }
    case "Owner":
      return { ...nobody, kind: "owner" }
    case "Open":
    case "Anonymous": // never here: the guard wants to know who asks
      return { ...nobody, kind: "open" }
  }
}

export const layerAuth = HttpApiBuilder.group(
  ForgeApi,
  "auth",
  Effect.fnUntraced(function* (handlers) {
    const users = yield* Users
    return handlers.handleAll({
      login: ({ payload: { email, password } }) =>
        users.login(email, password).pipe(
          Effect.map(({ id, email, name, role, sessionEpoch }) => ({
            user: { id, email, name, role, sessionEpoch },
          })),
          answeringAccess("LoginRefused", "PasswordsBusy"),
        ),
      me: () => Effect.map(CurrentIdentity, callerOf),
    })
  }),
)
