/** The page of `/docs`, which is made when somebody asks for it first: a start of a server need not read its 2 MB. */
import { ForgeApi } from "@modelforge/api"
import { Effect, Layer } from "effect"
import { HttpRouter } from "effect/http"
import { HttpApiSwagger } from "effect/http-api"
import { docsPath } from "./requestProblems.ts"

/** Answers from a router of its own, for its layer reads the page when it is built. */
const makePage = Effect.gen(function* () {
  const router = yield* HttpRouter.make
  yield* Layer.build(HttpApiSwagger.layer(ForgeApi, { path: docsPath })).pipe(
    Effect.provideService(HttpRouter.HttpRouter, router),
    Effect.scoped,
  )
  return router.asHttpEffect()
})

export const layerDocs = HttpRouter.use((router) =>
  Effect.gen(function* () {
    const page = yield* Effect.cached(Effect.uninterruptible(makePage))
    yield* router.add("GET", docsPath, Effect.flatten(page))
  }),
)
