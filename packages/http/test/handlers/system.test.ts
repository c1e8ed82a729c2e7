import { assert, describe, it } from "@effect/vitest"
import { ModelName, RoutingTable } from "@modelforge/core"
import { Effect } from "effect"
import { ServerReadiness } from "../../src/ServerReadiness.ts"
import { mountWeb } from "../Mount.ts"
import { body } from "./problems.ts"

describe("health", () => {
  it.effect("is up whatever the state", () =>
    Effect.gen(function* () {
      const { call } = yield* mountWeb()
      const health = yield* call("/healthz")
      assert.deepStrictEqual([health.status, health.json], [200, { ok: true }])
      const live = yield* call("/v2/health/live")
      assert.deepStrictEqual([live.status, live.json], [200, { live: true }])
    }),
  )

  it.effect("says what is missing while the server starts or drains", () =>
    Effect.gen(function* () {
      const { call, context } = yield* mountWeb()
      const readiness = yield* ServerReadiness.pipe(Effect.provide(context))
      const states = [
        [Effect.void, 503, "starting", ["the server to start"]],
        [readiness.ready, 200, "ready", []],
        [readiness.draining, 503, "draining", ["the server is stopping"]],
      ] as const
      for (const [change, status, state, waitingFor] of states) {
        yield* change
        const ready = status === 200
        const answer = yield* call("/readyz")
        assert.strictEqual(answer.status, status)
        assert.deepStrictEqual(answer.json, { ready, state, waitingFor })
        const v2 = yield* call("/v2/health/ready")
        assert.deepStrictEqual([v2.status, v2.json], [status, { ready }])
        assert.strictEqual(v2.headers.get("content-type"), "application/json")
      }
    }),
  )
})

describe("the registry out of reach", () => {
  it.effect("is said with the time since when, while the server stays ready", () =>
    Effect.gen(function* () {
      const { call, context, forge } = yield* mountWeb()
      yield* (yield* ServerReadiness.pipe(Effect.provide(context))).ready
      const routing = yield* RoutingTable.pipe(Effect.provide(context))
      const refresh = Effect.exit(routing.refresh(ModelName.make("digits")))
      forge.store = "down"
      yield* refresh
      const answer = yield* call("/readyz")
      assert.strictEqual(answer.status, 200)
      const { registryOutOfReachSince: since, ...rest } = body(answer)
      assert.deepStrictEqual(rest, { ready: true, state: "ready", waitingFor: [] })
      assert.match(String(since), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
      assert.strictEqual((yield* call("/v2/health/ready")).status, 200)
      forge.store = "up"
      yield* refresh
      assert.deepStrictEqual(body(yield* call("/readyz")), rest)
    }),
  )
})

describe("the contract", () => {
  it.effect("is served as a document and as pages that load nothing from elsewhere", () =>
    Effect.gen(function* () {
      const { call } = yield* mountWeb()
      const document = yield* call("/openapi.json")
      assert.strictEqual(document.status, 200)
      assert.match(document.headers.get("content-type") ?? "", /^application\/json/)
      assert.include(document.text, '"/v1/models/{model}/predict"')
      const page = yield* call("/docs")
      assert.strictEqual(page.status, 200)
      assert.match(page.headers.get("content-type") ?? "", /^text\/html/)
      assert.notMatch(page.text, /<(?:script|link|img)[^>]+(?:src|href)="(?:https?:)?\/\//)
    }),
  )
})
