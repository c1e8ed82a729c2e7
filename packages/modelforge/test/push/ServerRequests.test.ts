import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Schema, Stream } from "effect"
import { HttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { bodyOf, failed, makeAsk, Refused, retryAfterMs } from "../../src/push/ServerRequests.ts"
import { answering, mountServer, unreachable } from "./mountedServer.ts"

const url = "http://localhost"
const ask = makeAsk(url)

/** Nobody answers, and the connection stays; the body is taken as far as `taken` lets it. */
const silentServer = (taken: (body: Stream.Stream<Uint8Array, unknown>) => Effect.Effect<unknown, unknown>) =>
  Layer.succeed(
    HttpClient.HttpClient,
    HttpClient.make(({ body }) =>
      Effect.andThen(body._tag === "Stream" ? Effect.orDie(taken(body.stream)) : Effect.void, Effect.never),
    ),
  )

describe("what an answer means", () => {
  it.effect("is told by its status, and its problem", () =>
    Effect.gen(function* () {
      const { faults, layer } = yield* mountServer
      const problem = (name: string) =>
        JSON.stringify({ type: `urn:modelforge:problem:${name}`, title: "Title", detail: "Detail" })
      for (const [status, body, expected] of [
        [503, problem("unavailable"), { _tag: "TryAgain", detail: "Detail", answered: true }],
        [429, problem("rate-limited"), { _tag: "TryAgain" }],
        [423, problem("upload-locked"), { _tag: "TryAgain" }],
        [409, problem("offset-mismatch"), { _tag: "TryAgain" }],
        [409, problem("request-in-progress"), { _tag: "TryAgain" }],
        [409, problem("duplicate-version"), { _tag: "Refused", status: 409, name: "duplicate-version" }],
        [500, problem("internal"), { _tag: "Refused", status: 500 }],
        [422, JSON.stringify({ type: "about:blank", title: "Title" }), { name: "", detail: "Title" }],
        [308, "", { _tag: "Refused", name: "", detail: /answered 308, which is not what/ }],
      ] as const) {
        faults.push(answering(status, body))
        const error = yield* Effect.flip(Effect.provide(ask("GET", "/v1/models"), layer))
        const { detail, ...rest }: Readonly<Record<string, unknown>> = expected
        for (const [name, value] of Object.entries(rest))
          assert.strictEqual(Reflect.get(error, name), value, String(status))
        if (detail instanceof RegExp) assert.match(error.message, detail)
        else if (detail !== undefined) assert.strictEqual(error.message, detail)
      }
      faults.push(unreachable)
      assert.deepInclude(yield* Effect.flip(Effect.provide(ask("GET", "/v1/models"), layer)), {
        _tag: "TryAgain",
        answered: false,
      })
      const answer = yield* Effect.provide(ask("GET", "/v1/models"), layer)
      assert.deepStrictEqual(answer.json, { items: [], nextCursor: null })
      assert.match((yield* Effect.flip(bodyOf(Schema.String)(answer))).message, /can't be read/)
    }),
  )

  it.effect("of bytes that are a version already has an exit code of its own", () =>
    Effect.gen(function* () {
      const refused = (name: string) => new Refused({ status: 409, name, detail: "No" })
      assert.strictEqual((yield* Effect.flip(failed(refused("duplicate-version")))).exitCode, 3)
      assert.isUndefined((yield* Effect.flip(failed(refused("alias-conflict")))).exitCode)
    }),
  )

  it("has a time to come back, in seconds or as a date", () => {
    const now = Date.parse("2026-07-30T12:00:00Z")
    for (const [header, ms] of [
      ["60", 60_000],
      ["0", 0],
      ["Thu, 30 Jul 2026 12:00:30 GMT", 30_000],
      ["Thu, 30 Jul 2026 11:00:00 GMT", 0],
      ["soon", undefined],
      [undefined, undefined],
    ] as const)
      assert.strictEqual(retryAfterMs(header, now), ms)
  })
})

describe("a connection that died without a sign", () => {
  it.effect("is left after two minutes, or ten while the file is tried", () =>
    Effect.gen(function* () {
      for (const [tries, minutes] of [
        [false, 2],
        [true, 10],
      ] as const) {
        const body = { bytes: Stream.make(new Uint8Array(1)), length: 1, type: "text/plain" }
        const asking = yield* Effect.forkChild(
          Effect.flip(
            Effect.provide(
              ask("PATCH", `${url}/`, { body, tries }),
              silentServer((bytes) => Stream.runDrain(bytes)),
            ),
          ),
        )
        yield* TestClock.adjust(`${2 * minutes} minutes`)
        assert.deepInclude(yield* Fiber.join(asking), { _tag: "TryAgain", answered: true })
      }
    }),
  )

  it.effect("is not one that is slow", () =>
    Effect.gen(function* () {
      const done = yield* Deferred.make<void>()
      const bytes = Stream.tap(Stream.range(1, 10), () => Effect.sleep("90 seconds")).pipe(
        Stream.map(() => new Uint8Array(1)),
      )
      const layer = silentServer((body) =>
        Effect.andThen(Stream.runDrain(body), Deferred.succeed(done, undefined)),
      )
      const asking = yield* Effect.forkChild(
        Effect.exit(
          Effect.provide(ask("PATCH", `${url}/`, { body: { bytes, length: 10, type: "text/plain" } }), layer),
        ),
      )
      yield* TestClock.adjust("15 minutes")
      yield* Deferred.await(done)
      yield* Fiber.interrupt(asking)
    }),
  )
})
