import { assert, describe, it } from "@effect/vitest"
import { ApiKeys, type RateLimit } from "@modelforge/core"
import { Effect, Redacted } from "effect"
import { Guard } from "../../src/guard/Guard.ts"
import type { ProtectionOptions } from "../../src/protection/Protection.ts"
import { isProblem, isV2Error } from "../handlers/problems.ts"
import { json, mountWeb, withModel } from "../Mount.ts"

const infer = json({ inputs: [{ name: "x", datatype: "FP32", shape: [1, 2], data: [1, 2] }] })

/** A closed mount, and a key with every scope. */
const closed = Effect.fnUntraced(function* (
  rateLimit: RateLimit | null = null,
  protection: ProtectionOptions = {},
) {
  const mount = yield* mountWeb({}, Guard.layer(), protection)
  const { secret } = yield* ApiKeys.use((keys) =>
    keys.create({
      name: "all",
      scopes: ["predict", "jobs", "read", "write", "admin"],
      models: null,
      expiresAt: null,
      rateLimit,
      quota: null,
    }),
  ).pipe(Effect.provide(mount.context), Effect.orDie)
  return { ...mount, headers: { authorization: `Bearer ${Redacted.value(secret)}` } }
})

describe("on a Web handler", () => {
  it.effect("every answer has the headers, also those of the guard and of nobody", () =>
    Effect.gen(function* () {
      const { call, headers } = yield* closed()
      for (const [path, init] of [
        ["/healthz", {}],
        ["/v1/models", {}],
        ["/v1/models", { headers }],
        ["/v2/models/nope", { headers }],
        ["/v2/models/nope/infer", { ...infer, headers }],
        ["/nowhere", { headers }],
        ["/docs", { headers }],
        [`/v1/${"x".repeat(9000)}`, { headers }],
      ] as const) {
        const sent = { ...("headers" in init ? init.headers : {}), "x-request-id": "mine" }
        const answer = yield* call(path, { ...init, headers: sent })
        assert.strictEqual(answer.headers.get("x-request-id"), "mine", path)
        assert.strictEqual(answer.headers.get("x-content-type-options"), "nosniff", path)
        assert.match(answer.headers.get("content-security-policy") ?? "", /^default-src 'none'/, path)
        assert.match(answer.headers.get("cache-control") ?? "", /^no-(?:store|cache)$/, path)
      }
    }),
  )

  it.effect("what is refused by its head gets no further", () =>
    Effect.gen(function* () {
      const { call } = yield* closed()
      isProblem(yield* call(`/v1/${"x".repeat(9000)}`), 414, "uri-too-long")
      isV2Error(yield* call(`/v2?${"a&".repeat(200)}`), 400, /201 parameters/)
    }),
  )

  it.effect("requests are counted, and one over the limit is refused", () =>
    Effect.gen(function* () {
      const mount = yield* closed({ requests: 3, seconds: 3600 })
      const { call, headers } = mount
      yield* withModel(
        { call: (path, init) => call(path, { ...init, headers: { ...init?.headers, ...headers } }) },
        "digits",
      )
      const first = yield* call("/v2/models/digits/infer", {
        ...infer,
        headers: { ...infer.headers, ...headers },
      })
      assert.strictEqual(first.status, 200, first.text)
      assert.match(first.headers.get("ratelimit") ?? "", /^"default";r=1;t=\d+$/)
      assert.strictEqual(first.headers.get("ratelimit-policy"), '"default";q=3;w=3600')
      yield* call("/v1/models", { headers })
      isV2Error(yield* call("/v2/models/digits/infer", { ...infer, headers }), 429, /over its limit of 3/)
    }),
  )

  it.effect("pages of sites that are named are told what they may send", () =>
    Effect.gen(function* () {
      const { call } = yield* closed(null, { corsOrigins: ["https://app.example.com"] })
      const preflight = {
        method: "OPTIONS",
        headers: { origin: "https://app.example.com", "access-control-request-method": "POST" },
      }
      const answer = yield* call("/v1/models", preflight)
      assert.strictEqual(answer.status, 204)
      assert.strictEqual(answer.headers.get("access-control-allow-origin"), "https://app.example.com")
      const refused = yield* call("/v1/models", { headers: { origin: "https://app.example.com" } })
      assert.strictEqual(refused.status, 401)
      assert.strictEqual(refused.headers.get("access-control-allow-origin"), "https://app.example.com")
    }),
  )

  it.effect("the audit log has the request's id, a new one where it had none", () =>
    Effect.gen(function* () {
      const { call, headers } = yield* closed()
      const made = yield* call("/v1/models", {
        ...json({ name: "a" }),
        headers: { ...json({}).headers, ...headers },
      })
      const { items } = (yield* call("/v1/audit?limit=1", { headers })).json as {
        readonly items: ReadonlyArray<{ readonly requestId: string | null }>
      }
      assert.strictEqual(made.status, 201)
      assert.strictEqual(items[0]?.requestId, made.headers.get("x-request-id"))
    }),
  )
})
