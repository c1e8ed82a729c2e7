/** Handlers of signing in: translate, nothing else. */
import { type Caller, ForgeApi, LockedOutProblem } from "@modelforge/api"
import { CurrentIdentity, type Identity, LoginLockout, Origin, Users } from "@modelforge/core"
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { answeringAccess } from "./accessFailures.ts"
import { withHeaders } from "./withHeaders.ts"

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

/** Of whoever signs in; undefined where a dashboard's server asks for them. */
const personsAddress = Effect.gen(function* () {
  const { _tag } = yield* CurrentIdentity
  return _tag === "Key" ? undefined : ((yield* Origin).address ?? undefined)
})

export const layerAuth = HttpApiBuilder.group(
  ForgeApi,
  "auth",
  Effect.fnUntraced(function* (handlers) {
    const users = yield* Users
    const lockout = yield* LoginLockout
    return handlers.handleAll({
      login: Effect.fnUntraced(
        function* ({ payload: { email, password } }) {
          const attempt = yield* lockout.attempt({ email, address: yield* personsAddress })
          const { id, name, role, sessionEpoch, ...user } = yield* users.login(email, password).pipe(
            Effect.tapError(({ reason }) =>
              reason._tag === "LoginRefused" ? Effect.void : attempt.withdrawn,
            ),
            Effect.onInterrupt(() => attempt.withdrawn),
          )
          yield* attempt.succeeded
          return { user: { id, email: user.email, name, role, sessionEpoch } }
        },
        Effect.catchTag("LockedOut", ({ message, retryAfterSeconds }) =>
          Effect.andThen(
            withHeaders({ "retry-after": String(retryAfterSeconds) }),
            Effect.fail(new LockedOutProblem({ detail: message })),
          ),
        ),
        answeringAccess("LoginRefused", "PasswordsBusy"),
      ),
      me: () => Effect.map(CurrentIdentity, callerOf),
    })
  }),
)
