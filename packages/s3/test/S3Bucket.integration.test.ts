import { readdir } from "node:fs/promises"
import { createServer } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { sdkTrouble } from "../src/S3Bucket.ts"
import { digestOf, keyOf, openStore, push, reason, stubbed } from "./opening.ts"
import { optionsFor, S3Stub, startS3rver, temporaryFolder } from "./servers.ts"

const bytes = new TextEncoder().encode("the bytes of a model")
const digest = digestOf(bytes)

/** A port on which nobody listens. */
const deadPort = Effect.promise(
  () =>
    new Promise<number>((resolve) => {
      const server = createServer().listen(0, "127.0.0.1", () => {
        const address = server.address()
        server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0))
      })
    }),
)

const openingAnswer = (status: number, code: string) =>
  Effect.gen(function* () {
    const stub = new S3Stub()
    stub.fault = () => ({ status, code })
    const options = optionsFor(yield* stub.start, yield* temporaryFolder)
    return yield* reason(openStore(options))
  })

describe("what can never work fails at once, and says what to do", () => {
  it.effect("a bucket that does not exist", () =>
    Effect.gen(function* () {
      const options = optionsFor(yield* startS3rver, yield* temporaryFolder)
      assert.strictEqual(
        (yield* reason(openStore({ ...options, bucket: "other" }))).message,
        `The artifact storage can't be used: there is no bucket "other" in S3: make it first`,
      )
    }),
  )

  it.effect("credentials that are refused", () =>
    Effect.gen(function* () {
      const { message } = yield* openingAnswer(403, "InvalidAccessKeyId")
      assert.include(message, `S3 refuses the access to bucket "models" (InvalidAccessKeyId)`)
      assert.notInclude(message, "secret")
    }),
  )

  it("a package that is not installed, or can't be loaded", () => {
    const message = (text: string) => sdkTrouble(new Error(text)).message
    assert.include(
      message("Cannot find package '@aws-sdk/client-s3' imported from /a/path/S3Bucket.js"),
      "the package @aws-sdk/client-s3 is not installed, install it beside modelforge",
    )
    assert.include(message("Cannot find module '/a/path' imported from /a/path"), "could not be loaded")
  })

  it.effect("another region", () =>
    Effect.gen(function* () {
      for (const [status, code] of [
        [301, "PermanentRedirect"],
        [400, "AuthorizationHeaderMalformed"],
      ] as const)
        assert.include((yield* openingAnswer(status, code)).message, "set AWS_REGION")
    }),
  )
})

describe("an S3 that is away", () => {
  it.effect("is no reason not to start, and is told in the log", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const store = yield* openStore(optionsFor(yield* deadPort, yield* temporaryFolder), log)
      assert.include(log.join("\n"), "S3 does not answer")
      const failed = yield* reason(push(store, bytes))
      assert.strictEqual(failed.message, `The artifact storage failed in "commit"`)
    }),
  )

  it.effect("does not keep what is cached from being used", () =>
    Effect.gen(function* () {
      const { options, store } = yield* stubbed
      yield* push(store, bytes)
      const later = yield* openStore({ ...options, endpoint: `http://127.0.0.1:${yield* deadPort}` })
      yield* later.file(digest)
      yield* Stream.runDrain(later.read(digest))
    }),
  )
})

describe("a download", () => {
  const uncached = Effect.gen(function* () {
    const world = yield* stubbed
    world.stub.objects.set(keyOf(bytes), { bytes: Buffer.from(bytes), modifiedAt: Date.now() })
    return world
  })

  it.live("that breaks off is begun anew", () =>
    Effect.gen(function* () {
      const { stub, folder, store } = yield* uncached
      let cuts = 0
      stub.fault = (request) => (request.startsWith("GET some") && cuts++ < 1 ? { cutAt: 5 } : undefined)
      yield* store.file(digest)
      assert.strictEqual(stub.count(/^GET some/), 2)
      assert.deepStrictEqual(yield* Effect.promise(() => readdir(`${folder}/staging`)), [])
    }),
  )

  it.effect("that is given whole to somebody can't be begun anew, and fails", () =>
    Effect.gen(function* () {
      const { stub, store } = yield* uncached
      stub.fault = (request) => (request.startsWith("GET") ? { cutAt: 5 } : undefined)
      const failed = yield* reason(Stream.runDrain(store.read(digest)))
      assert.strictEqual(failed.message, `The artifact storage failed in "fetch"`)
    }),
  )

  it.effect("of damaged bytes says so", () =>
    Effect.gen(function* () {
      const { stub, store } = yield* uncached
      stub.objects.set(keyOf(bytes), { bytes: Buffer.from("THE bytes of a model"), modifiedAt: Date.now() })
      assert.deepInclude(yield* reason(store.file(digest)), { _tag: "ArtifactCorrupt", digest })
      assert.deepInclude(yield* reason(Stream.runDrain(store.read(digest))), {
        _tag: "ArtifactCorrupt",
        digest,
      })
    }),
  )

  it.effect("that S3 refuses fails without its words", () =>
    Effect.gen(function* () {
      const { stub, store } = yield* uncached
      stub.fault = () => ({ status: 403, code: "AccessDenied" })
      const failed = yield* reason(Stream.runDrain(store.read(digest)))
      assert.strictEqual(failed.message, `The artifact storage failed in "fetch"`)
    }),
  )
})
