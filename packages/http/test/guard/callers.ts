/** Keys and users of a forge under test, as requests show them. */
import { ApiKeys, Email, ModelName, type Role, Scope, Users } from "@modelforge/core"
import { Effect, Redacted, Schema } from "effect"
import { tokenFor } from "./dashboard.ts"

const bearer = (text: string) => ({ authorization: `Bearer ${text}` })
const scopesOf = Schema.decodeUnknownSync(Schema.Array(Scope))

/** A key with these scopes, for these models or for all. */
export const keyHeaders = (scopes: ReadonlyArray<string>, models?: ReadonlyArray<string>) =>
  ApiKeys.use((keys) =>
    keys.create({
      name: "a test",
      scopes: scopesOf(scopes),
      models: models?.map((name) => ModelName.make(name)) ?? null,
      expiresAt: null,
      rateLimit: null,
      quota: null,
    }),
  ).pipe(
    Effect.map(({ secret }) => bearer(Redacted.value(secret))),
    Effect.orDie,
  )

let made = 0

/** A user with this role, signed in at the dashboard; disabled since, or not. */
export const userHeaders = (role: Role, disabled = false) =>
  Users.use(
    Effect.fnUntraced(function* (users) {
      made += 1
      const draft = { name: role, role, password: Redacted.make("seven lakes under an early moon") }
      const user = yield* users.create({ ...draft, email: Email.make(`${role}${made}@example.com`) })
      if (!disabled) return bearer(tokenFor(user))
      // Somebody has to be left.
      yield* users.create({ ...draft, role: "admin", email: Email.make(`other${made}@example.com`) })
      const { sessionEpoch } = yield* users.update(user.id, { disabled: true })
      return bearer(tokenFor({ id: user.id, sessionEpoch }))
    }),
  ).pipe(Effect.orDie)
