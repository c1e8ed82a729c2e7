/** ModelForge mounted somewhere, as its clients reach it. */
import { NodeHttpServer } from "@effect/platform-node"
import type { Authentication, RateLimits, Settings } from "@modelforge/core"
import { Effect, Layer } from "effect"
import { HttpRouter } from "effect/http"
import { Guard } from "../src/guard/Guard.ts"
import { layerProtection, type ProtectionOptions } from "../src/protection/Protection.ts"
import { layerRoutes } from "../src/Routes.ts"
import { ServerVersion } from "../src/ServerVersion.ts"
import { makeForge, type TestForge } from "./TestForge.ts"

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The body as JSON; undefined when it is none. */
  readonly json: unknown
}

export type Call = (path: string, init?: RequestInit) => Effect.Effect<Answer>

export interface Mount {
  readonly forge: TestForge
  readonly fetch: (path: string, init?: RequestInit) => Promise<Response>
  /** `fetch`, and the answer whole. */
  readonly call: Call
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

export const mountOf = (forge: TestForge, fetch: Mount["fetch"]): Mount => ({
  forge,
  fetch,
  call: (path, init) =>
    Effect.promise(async () => {
      const response = await fetch(path, init)
      const text = await response.text()
      return { status: response.status, headers: response.headers, text, json: parsed(text) }
    }),
})

/** The routes as a Web handler: what hosts get that know no Node. */
export const mountWeb = Effect.fnUntraced(function* (
  settings: Partial<Settings> = {},
  guard: Layer.Layer<Guard, never, Authentication | RateLimits> = Guard.layerOwner,
  protection: ProtectionOptions = {},
) {
  const forge = yield* makeForge(settings)
  const context = yield* Effect.orDie(Layer.build(forge.layer))
  const routes = layerRoutes.pipe(
    Layer.provide([guard, layerProtection(protection)]),
    Layer.provideMerge(Layer.succeedContext(context)),
    Layer.provideMerge(Layer.succeed(ServerVersion, "1.2.3")),
    Layer.provide(NodeHttpServer.layerHttpServices),
  )
  const web = yield* Effect.acquireRelease(
    Effect.sync(() => HttpRouter.toWebHandler(routes, { disableLogger: true })),
    ({ dispose }) => Effect.promise(dispose),
  )
  return {
    ...mountOf(forge, (path, init) => web.handler(new Request(`http://localhost${path}`, init))),
    context,
  }
})

export const json = (body: unknown, method = "POST"): RequestInit => ({
  method,
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
})

/** A file that the scanner takes for `signature`; `salt` makes its bytes others. */
export const onnx = (signature = "floats", salt = "") => `onnx ${signature} ${salt}`

export const upload = (
  file: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
): RequestInit => ({
  method: "POST",
  headers: { "content-type": "application/octet-stream", ...headers },
  body: file,
})

/** Makes the model `name` with one version for each signature. */
export const withModel = Effect.fnUntraced(function* (
  { call }: Pick<Mount, "call">,
  name: string,
  versions: ReadonlyArray<string> = ["floats"],
) {
  for (const [index, signature] of versions.entries()) {
    const made = yield* call(
      `/v1/models/${name}/versions?create=true`,
      upload(onnx(signature, `${name} ${index}`)),
    )
    if (made.status !== 201) return yield* Effect.die(new Error(made.text))
  }
})
