/** Handlers of aliases: translate, nothing else. */
import { ForgeApi } from "@modelforge/api"
import { type Alias, Aliases, AliasName, AliasNotFound, RegistryError } from "@modelforge/core"
import { Effect, Option } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { entityTag, expectationOf, tagged, unlessKnown } from "./conditions.ts"
import { makeCursors, numberKey } from "./cursor.ts"
import { answering, modelName } from "./failures.ts"

/** The names in a path. What can't be a name is no alias's. */
const named = Effect.fnUntraced(function* (params: { readonly model: string; readonly alias: string }) {
  const model = yield* modelName(params.model)
  const alias = AliasName.makeOption(params.alias)
  return Option.isSome(alias)
    ? ([model, alias.value] as const)
    : yield* new RegistryError({ reason: new AliasNotFound({ model, alias: params.alias }) })
})

const answer = (alias: Alias) => tagged(alias, entityTag(alias))

export const layerAliases = HttpApiBuilder.group(
  ForgeApi,
  "aliases",
  Effect.fnUntraced(function* (handlers) {
    const aliases = yield* Aliases
    const { windowOf, pageOf } = yield* makeCursors
    return handlers.handleAll({
      get: ({ params, headers }) =>
        named(params).pipe(
          Effect.flatMap(([model, alias]) => aliases.get(model, alias)),
          Effect.map((alias) => unlessKnown(headers, entityTag(alias), () => answer(alias))),
          answering("ModelNotFound", "AliasNotFound"),
        ),
      move: ({ params, query, headers, payload }) =>
        modelName(params.model).pipe(
          Effect.flatMap((model) =>
            aliases.move(model, params.alias, {
              ...payload,
              force: query.force === "true",
              clearTraffic: query.clearTraffic === "true",
              expected: expectationOf(headers),
            }),
          ),
          Effect.map(answer),
          answering(
            "ModelNotFound",
            "VersionNotFound",
            "VersionConflict",
            "AliasMoved",
            "IncompatibleSignature",
            "TrafficConflict",
            "RevisionMismatch",
          ),
        ),
      remove: ({ params, headers }) =>
        named(params).pipe(
          Effect.flatMap(([model, alias]) => aliases.remove(model, alias, expectationOf(headers))),
          answering("ModelNotFound", "AliasNotFound", "TrafficConflict", "RevisionMismatch"),
        ),
      history: Effect.fnUntraced(
        function* ({ params, query }) {
          const window = yield* windowOf(["moves", params.model, params.alias], query, numberKey)
          const [model, alias] = yield* named(params)
          const moves = yield* aliases.history(model, alias, { ...window, limit: window.limit + 1 })
          return pageOf(["moves", model, alias], moves, window.limit, ({ move }) => move)
        },
        answering("ModelNotFound", "AliasNotFound"),
      ),
      rollback: ({ params, payload }) =>
        named(params).pipe(
          Effect.flatMap(([model, alias]) => aliases.rollback(model, alias, payload?.reason)),
          Effect.map(answer),
          answering("ModelNotFound", "AliasNotFound", "AliasMoved", "NothingToRestore", "TrafficConflict"),
        ),
    })
  }),
)
