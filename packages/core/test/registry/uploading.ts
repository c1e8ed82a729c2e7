/** What the tests of uploads have in common: one model, files for it, and trials that a test steers. */
import { Deferred, Effect, Option, Result } from "effect"
import type { RuntimeError } from "../../src/inference/ModelRuntime.ts"
import { AliasName, ModelName } from "../../src/model/Names.ts"
import { VersionNumber } from "../../src/model/Version.ts"
import { RoutingTable } from "../../src/registry/RoutingTable.ts"
import { type Upload, Uploads } from "../../src/registry/Uploads.ts"
import { streamOf, type World } from "../fakes.ts"

export const model = ModelName.make("digits")
export const production = AliasName.make("production")
export const first = VersionNumber.make(1)

export const push = (content: string, fields: Partial<Upload> = {}) =>
  Uploads.use((uploads) => uploads.receive({ model, bytes: streamOf(content), createModel: true, ...fields }))

export const refused = <A, E extends { readonly reason: unknown }, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.flip(effect), (error): E["reason"] => error.reason)

/** Which version answers, as the routes say. */
export const routed = (version?: string) =>
  RoutingTable.use((routing) =>
    Effect.succeed(Result.getOrUndefined(routing.resolve(model, version))?.version),
  )

/** Trials that begin and never end, until a test says how. */
export const slowTrials = Effect.fnUntraced(function* (world: World) {
  const [begun, verdict] = [yield* Deferred.make<void>(), yield* Deferred.make<void, RuntimeError>()]
  let interrupted = 0
  world.runtime.trial = () =>
    Deferred.succeed(begun, undefined).pipe(
      Effect.andThen(Deferred.await(verdict)),
      Effect.onInterrupt(() => Effect.sync(() => interrupted++)),
    )
  return { begun, verdict, interrupted: () => interrupted }
})

/** Waits until what goes on in the background has brought the version to its end. */
export const settledAs = Effect.fnUntraced(function* (world: World, state: string, number = first) {
  while (true) {
    const version = yield* world.store.findVersion(model, number)
    if (Option.isSome(version) && version.value.state === state) return version.value
    yield* Effect.yieldNow
  }
})
