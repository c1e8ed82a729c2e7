/** Handlers of keys: translate, nothing else. */
import { ForgeApi, InvalidRequestProblem, type NewKey } from "@modelforge/api"
import { AccessError, ApiKeys, type IssuedKey, KeyId, KeyNotFound } from "@modelforge/core"
import { DateTime, Effect, Option, Redacted } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { answeringAccess } from "./accessFailures.ts"
import { makeCursors } from "./cursor.ts"
import { withHeaders } from "./withHeaders.ts"

/** With the secret in the clear: the one answer that has it, and nothing on the way may keep it. */
const issued = ({ key, secret }: IssuedKey) =>
  Effect.as(withHeaders({ "cache-control": "no-store" }), { ...key, secret: Redacted.value(secret) })

/** A key's id from a path. What can't be one is no key's. */
const keyId = (id: string): Effect.Effect<KeyId, AccessError> =>
  Option.match(KeyId.makeOption(id), {
    onNone: () => Effect.fail(new AccessError({ reason: new KeyNotFound({ key: id }) })),
    onSome: Effect.succeed,
  })

const past = (expiresAt: DateTime.Utc) => {
  const message = `${DateTime.formatIso(expiresAt)} is past: leave it out for a key that does not expire`
  return new InvalidRequestProblem({
    detail: `expiresAt: ${message}`,
    errors: [{ path: "expiresAt", message }],
  })
}

const draftOf = Effect.fnUntraced(function* ({
  models = null,
  expiresAt = null,
  rateLimit = null,
  quota = null,
  ...rest
}: NewKey) {
  if (expiresAt !== null && DateTime.isLessThanOrEqualTo(expiresAt, yield* DateTime.now))
    return yield* past(expiresAt)
  return { ...rest, models, expiresAt, rateLimit, quota }
})

export const layerKeys = HttpApiBuilder.group(
  ForgeApi,
  "keys",
  Effect.fnUntraced(function* (handlers) {
    const keys = yield* ApiKeys
    const { windowOf, pageOf } = yield* makeCursors
    return handlers.handleAll({
      create: ({ payload }) =>
        draftOf(payload).pipe(Effect.flatMap(keys.create), Effect.flatMap(issued), answeringAccess()),
      list: Effect.fnUntraced(function* ({ query }) {
        const window = yield* windowOf(["keys"], query, KeyId.makeOption)
        const found = yield* keys.list({ ...window, limit: window.limit + 1 })
        return pageOf(["keys"], found, window.limit, ({ id }) => id)
      }, answeringAccess()),
      get: ({ params }) => keyId(params.key).pipe(Effect.flatMap(keys.find), answeringAccess("KeyNotFound")),
      revoke: ({ params }) =>
        keyId(params.key).pipe(Effect.flatMap(keys.revoke), Effect.asVoid, answeringAccess("KeyNotFound")),
      rotate: ({ params, payload }) =>
        keyId(params.key).pipe(
          Effect.flatMap((id) => keys.rotate(id, payload?.overlapSeconds)),
          Effect.flatMap(issued),
          answeringAccess("KeyNotFound", "KeyRevoked"),
        ),
    })
  }),
)
