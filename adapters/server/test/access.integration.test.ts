import { randomUUID } from "node:crypto"
import { request } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { endpoints } from "../../../packages/http/test/endpoints.ts"
import { accessSuite } from "../../../packages/http/test/guard/accessSuite.ts"
import { keyHeaders, userHeaders } from "../../../packages/http/test/guard/callers.ts"
import { withModel } from "../../../packages/http/test/Mount.ts"
import { anyPort, startServer } from "./TestServer.ts"

const closed = Effect.gen(function* () {
  const server = yield* startServer({}, {}, { open: true })
  // The first key closes it.
  yield* Effect.provide(keyHeaders(["read"]), server.engine)
  return server
}).pipe(Effect.orDie)

accessSuite(
  "the standalone server",
  Effect.map(closed, ({ call, engine }) => ({
    call,
    key: (scopes, models) => Effect.provide(keyHeaders(scopes, models), engine),
    user: (role, disabled) => Effect.provide(userHeaders(role, disabled), engine),
  })),
)

describe("the Unix socket", () => {
  it.live("is the owner's: no route of a closed server asks for anything there", () =>
    Effect.gen(function* () {
      const socketPath = join(tmpdir(), `modelforge-${randomUUID().slice(0, 8)}.sock`)
      const server = yield* startServer({ listen: [anyPort, { socketPath }] })
      yield* Effect.provide(keyHeaders(["read"]), server.engine)
      for (const { method, path } of endpoints) {
        const status = yield* Effect.callback<number | undefined>((resume) => {
          // A Host of anywhere and bad credentials: neither is looked at.
          const headers = { host: "evil.example", authorization: "Bearer mf_nothing" }
          const asked = request({ socketPath, method, path, headers }, (answer) => {
            answer.resume()
            resume(Effect.succeed(answer.statusCode))
          })
          asked.on("error", () => resume(Effect.succeed(undefined)))
          asked.end()
        })
        assert.notInclude([undefined, 401, 403], status, `${method} ${path}`)
      }
    }),
  )
})

describe("open mode", () => {
  it.live("ends for the next request when a key is made, on connections that are there, too", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      yield* withModel(server, "digits")
      assert.strictEqual((yield* server.call("/v1/models")).status, 200)
      const headers = yield* Effect.provide(keyHeaders(["read"]), server.engine)
      assert.strictEqual((yield* server.call("/v1/models")).status, 401)
      assert.strictEqual((yield* server.call("/v1/models", { headers })).status, 200)
    }),
  )
})
