import { assert, describe, it } from "@effect/vitest"
import { VersionResource } from "@modelforge/api"
import { AliasName, ModelName } from "@modelforge/core"
import { Effect, Fiber, Schema } from "effect"
import { TestClock } from "effect/testing"
import { json, onnx, upload } from "../../../http/test/Mount.ts"
import { makeAsk } from "../../src/push/ServerRequests.ts"
import { makeSettle } from "../../src/push/settle.ts"
import { answering, mountServer } from "./mountedServer.ts"

const settle = makeSettle(makeAsk("http://localhost"), ModelName.make("wine"))

/** A server with one version of the model, as it answers it. */
const withVersion = Effect.gen(function* () {
  const server = yield* mountServer
  const made = yield* server.call("/v1/models/wine/versions?create=true", upload(onnx("floats")))
  return { ...server, version: Schema.decodeUnknownSync(VersionResource)(made.json), text: made.text }
})

const inState = (text: string, state: string, reason: string | null = null) =>
  JSON.stringify({ ...JSON.parse(text), state, reason })

describe("a version that is still tried", () => {
  it.effect("is waited for", () =>
    Effect.gen(function* () {
      const { layer, faults, lines, text, version } = yield* withVersion
      assert.strictEqual(yield* Effect.provide(settle.ready(version), layer), version)
      assert.deepStrictEqual(lines, [])
      faults.push(answering(200, inState(text, "validating")))
      const waiting = yield* Effect.forkChild(
        Effect.provide(settle.ready({ ...version, state: "validating" }), layer),
      )
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual((yield* Fiber.join(waiting)).state, "ready")
      assert.deepStrictEqual(lines, ["GET /v1/models/wine/versions/1", "GET /v1/models/wine/versions/1"])
    }),
  )

  it.effect("and can't be served is a failure with its reason", () =>
    Effect.gen(function* () {
      const { layer, version } = yield* withVersion
      const invalid = { ...version, state: "invalid" as const, reason: "it takes too long" }
      const { message } = yield* Effect.flip(Effect.provide(settle.ready(invalid), layer))
      assert.strictEqual(message, 'Version 1 of model "wine" can\'t be served: it takes too long')
    }),
  )

  it.effect("is not waited for without end", () =>
    Effect.gen(function* () {
      const { layer, faults, text, version } = yield* withVersion
      for (let time = 0; time < 1000; time++) faults.push(answering(200, inState(text, "validating")))
      const waiting = yield* Effect.forkChild(
        Effect.flip(Effect.provide(settle.ready({ ...version, state: "validating" }), layer)),
      )
      // Step by step: requests take their time beside that of the test.
      for (let second = 0; second < 660; second++) yield* TestClock.adjust("1 second")
      assert.match((yield* Fiber.join(waiting)).message, /still tries it/)
    }),
  )
})

describe("beside the version", () => {
  it.effect("aliases are moved, forced where their callers may fail", () =>
    Effect.gen(function* () {
      const { layer, call } = yield* withVersion
      const alias = AliasName.make("beta")
      const point = (version: number, force: boolean) =>
        Effect.provide(settle.point(alias, version, force), layer)
      yield* point(1, false)
      yield* call("/v1/models/wine/versions", upload(onnx("text")))
      assert.deepInclude(yield* Effect.flip(point(2, false)), { status: 409, name: "incompatible-signature" })
      yield* point(2, true)
      assert.deepInclude((yield* call("/v1/models/wine/aliases/beta")).json, { version: 2 })
    }),
  )

  it.effect("labels are added to those that are there, and to no others", () =>
    Effect.gen(function* () {
      const { layer, call, faults } = yield* withVersion
      const labels = Effect.map(call("/v1/models/wine"), ({ json }) => (json as { labels: unknown }).labels)
      yield* call("/v1/models/wine", json({ labels: { team: "cellar", kind: "red" } }, "PATCH"))
      const label = Effect.provide(settle.label({ kind: "white", year: "2026" }), layer)
      yield* label
      assert.deepStrictEqual(yield* labels, { team: "cellar", kind: "white", year: "2026" })
      // Somebody else changes them between the look and the change.
      faults.push(({ pass }) =>
        Effect.tap(pass(), () => call("/v1/models/wine", json({ labels: { owner: "ada" } }, "PATCH"))),
      )
      assert.strictEqual((yield* Effect.flip(label))._tag, "TryAgain")
      assert.deepStrictEqual(yield* labels, { owner: "ada" })
      yield* label
      assert.deepStrictEqual(yield* labels, { owner: "ada", kind: "white", year: "2026" })
    }),
  )
})
