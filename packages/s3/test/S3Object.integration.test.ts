import { readdir } from "node:fs/promises"
import { assert, describe, it } from "@effect/vitest"
import { DateTime, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { digestOf, keyOf, openStore, push, reason, stubbed } from "./opening.ts"
import { temporaryFolder } from "./servers.ts"

const small = new TextEncoder().encode("the bytes of a model")
/** Three parts, the last of them smaller. */
const large = new Uint8Array(20 * 2 ** 20).map((_, at) => (at * 31) >> 7)

describe("an object", () => {
  it.effect("is made under its digest, and not written again by whoever has the same bytes", () =>
    Effect.gen(function* () {
      const { stub, store } = yield* stubbed
      yield* push(store, small)
      yield* push(store, small)
      assert.deepStrictEqual([...stub.objects.keys()], [keyOf(small)])
      assert.strictEqual(stub.count(/^PUT/), 1)
    }),
  )

  it.effect("that another server makes in the same moment is as good", () =>
    Effect.gen(function* () {
      for (const bytes of [small, large]) {
        const { stub, store } = yield* stubbed
        const key = keyOf(bytes)
        stub.fault = (request) => {
          // After the look, before the write.
          if (/^PUT|uploads$/.test(request) && !stub.objects.has(key))
            stub.objects.set(key, { bytes: Buffer.from(bytes), modifiedAt: 1 })
          return undefined
        }
        yield* push(store, bytes)
        assert.strictEqual(stub.uploads.size, 0)
        // It is theirs still.
        assert.strictEqual(stub.objects.get(key)?.modifiedAt, 1)
      }
    }),
  )

  it.effect("that is old is written again, so that it counts as young", () =>
    Effect.gen(function* () {
      const { stub, store } = yield* stubbed
      yield* push(store, small)
      yield* TestClock.setTime(Date.now() + 59 * 60_000)
      yield* push(store, small)
      assert.strictEqual(stub.count(/^PUT/), 1)
      yield* TestClock.setTime(Date.now() + 61 * 60_000)
      yield* push(store, small)
      assert.strictEqual(stub.count(/^PUT/), 2)
    }),
  )

  it.effect("whose size is not that of its bytes is mended", () =>
    Effect.gen(function* () {
      const { stub, store } = yield* stubbed
      stub.objects.set(keyOf(small), { bytes: Buffer.from("half"), modifiedAt: Date.now() })
      yield* push(store, small)
      assert.deepStrictEqual(stub.objects.get(keyOf(small))?.bytes, Buffer.from(small))
    }),
  )

  it.effect("is written to a server that knows no conditions", () =>
    Effect.gen(function* () {
      const { stub, store } = yield* stubbed
      let refused = false
      stub.fault = (request) => {
        if (!request.startsWith("PUT") || refused) return undefined
        refused = true
        return { status: 501, code: "NotImplemented" }
      }
      yield* push(store, small)
      assert.isTrue(stub.objects.has(keyOf(small)))
    }),
  )

  it.effect("that changed hands while it was written is written again", () =>
    Effect.gen(function* () {
      const { stub, store } = yield* stubbed
      let conflicts = 0
      stub.fault = (request) =>
        request.startsWith("PUT") && conflicts++ < 1
          ? { status: 409, code: "ConditionalRequestConflict" }
          : undefined
      yield* push(store, small)
      assert.isTrue(stub.objects.has(keyOf(small)))
    }),
  )
})

describe("a large object", () => {
  it.effect("is sent in parts and put together", () =>
    Effect.gen(function* () {
      const { stub, options, store } = yield* stubbed
      yield* push(store, large)
      assert.strictEqual(stub.count(/partNumber/), 3)
      assert.isTrue(stub.objects.get(keyOf(large))?.bytes.equals(large))
      assert.strictEqual(stub.uploads.size, 0)
      // Another machine gets it whole.
      const elsewhere = yield* openStore({ ...options, cacheDirectory: yield* temporaryFolder })
      yield* push(elsewhere, large)
      assert.strictEqual(stub.count(/partNumber/), 3)
    }),
  )

  it.effect("whose upload fails leaves no object and no parts, and can be sent again", () =>
    Effect.gen(function* () {
      const { stub, store } = yield* stubbed
      const steps = [/uploads$/, /partNumber/, /^POST .*uploadId$/]
      for (const step of steps) {
        stub.fault = (request) => (step.test(request) ? { status: 403, code: "AccessDenied" } : undefined)
        const failed = yield* reason(push(store, large))
        assert.deepInclude(failed, { _tag: "ArtifactStorageFailed", operation: "commit" })
        assert.notInclude(failed.message, "secret")
        assert.strictEqual(stub.objects.size, 0)
        assert.strictEqual(stub.uploads.size, 0)
      }
      stub.fault = () => undefined
      yield* push(store, large)
      assert.strictEqual(stub.objects.size, 1)
    }),
  )

  it.effect("whose upload is given up leaves no object and no parts", () =>
    Effect.gen(function* () {
      const { stub, store } = yield* stubbed
      const never = new Promise<void>(() => {})
      stub.fault = (request) => (request.includes("partNumber") ? { wait: never } : undefined)
      const pushing = yield* Effect.forkChild(push(store, large))
      while (stub.count(/partNumber/) === 0) yield* Effect.promise(() => new Promise(setImmediate))
      yield* Fiber.interrupt(pushing)
      assert.strictEqual(stub.objects.size, 0)
      assert.strictEqual(stub.uploads.size, 0)
    }),
  )
})

describe("an object that is removed", () => {
  const committedBefore = DateTime.makeUnsafe("9000-01-01T00:00:00Z")

  it.effect("leaves nothing in S3 and nothing in the cache", () =>
    Effect.gen(function* () {
      const { stub, folder, store } = yield* stubbed
      yield* push(store, small)
      const digest = digestOf(small)
      assert.isTrue(yield* store.remove(digest, { committedBefore, isNeeded: Effect.succeed(false) }))
      assert.strictEqual(stub.objects.size, 0)
      const names = yield* Effect.promise(() => readdir(`${folder}/sha256`, { recursive: true }))
      assert.isFalse(names.some((name) => name.endsWith(digest)))
    }),
  )

  it.live("and was set aside by a server that was killed goes with the next start, a day later", () =>
    Effect.gen(function* () {
      const { stub, options } = yield* stubbed
      const day = 24 * 3_600_000
      const bytes = Buffer.from(small)
      stub.objects.set("some/prefix/removed/old", { bytes, modifiedAt: Date.now() - day - 60_000 })
      stub.objects.set("some/prefix/removed/young", { bytes, modifiedAt: Date.now() - day + 60_000 })
      yield* openStore(options)
      while (stub.count(/^DELETE/) === 0) yield* Effect.promise(() => new Promise(setImmediate))
      assert.deepStrictEqual([...stub.objects.keys()], ["some/prefix/removed/young"])
    }),
  )
})
