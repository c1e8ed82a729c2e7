/** Handlers of users: translate, nothing else. */
import { ForgeApi } from "@modelforge/api"
import { AccessError, Email, UserId, UserNotFound, Users } from "@modelforge/core"
import { Effect, Option } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { answeringAccess } from "./accessFailures.ts"
import { makeCursors } from "./cursor.ts"

/** A user's id from a path. What can't be one is nobody's. */
const userId = (id: string): Effect.Effect<UserId, AccessError> =>
  Option.match(UserId.makeOption(id), {
    onNone: () => Effect.fail(new AccessError({ reason: new UserNotFound({ user: id }) })),
    onSome: Effect.succeed,
  })

export const layerUsers = HttpApiBuilder.group(
  ForgeApi,
  "users",
  Effect.fnUntraced(function* (handlers) {
    const users = yield* Users
    const { windowOf, pageOf } = yield* makeCursors
    return handlers.handleAll({
      create: ({ payload }) =>
        users.create(payload).pipe(answeringAccess("EmailTaken", "PasswordRefused", "PasswordsBusy")),
      list: Effect.fnUntraced(function* ({ query }) {
        const window = yield* windowOf(["users"], query, Email.makeOption)
        const found = yield* users.list({ ...window, limit: window.limit + 1 })
        return pageOf(["users"], found, window.limit, ({ email }) => email)
      }, answeringAccess()),
      get: ({ params }) =>
        userId(params.user).pipe(Effect.flatMap(users.find), answeringAccess("UserNotFound")),
      update: ({ params, payload }) =>
        userId(params.user).pipe(
          Effect.flatMap((id) => users.update(id, payload)),
          answeringAccess("UserNotFound", "LastAdmin", "PasswordRefused", "PasswordsBusy"),
        ),
      remove: ({ params }) =>
        userId(params.user).pipe(Effect.flatMap(users.remove), answeringAccess("UserNotFound", "LastAdmin")),
      endSessions: ({ params }) =>
        userId(params.user).pipe(
          Effect.flatMap(users.endSessions),
          Effect.asVoid,
          answeringAccess("UserNotFound"),
        ),
    })
  }),
)
