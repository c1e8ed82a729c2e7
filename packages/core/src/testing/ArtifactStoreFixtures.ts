/** What the tests of artifact stores are made of. */
import { createHash } from "node:crypto"
import { assert } from "@effect/vitest"
import { Effect, FileSystem, Stream } from "effect"
import type { ArtifactError } from "../artifacts/ArtifactError.ts"
import { ArtifactStore } from "../artifacts/ArtifactStore.ts"
import { Digest } from "../model/Version.ts"

export type Needs = ArtifactStore | FileSystem.FileSystem

/** Bytes that no other test has, so that the suite may run again and again on one store. */
export const freshBytes = (size: number): Uint8Array<ArrayBuffer> => {
  const bytes = new Uint8Array(size)
  for (let at = 0; at < size; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536))
  return bytes
}

export const digestOf = (bytes: Uint8Array) => Digest.make(createHash("sha256").update(bytes).digest("hex"))

export const inChunks = (bytes: Uint8Array, size: number): Stream.Stream<Uint8Array> => {
  const chunks: Array<Uint8Array> = []
  for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size))
  return Stream.fromIterable(chunks)
}

const readAll = Effect.fnUntraced(function* (digest: Digest) {
  const store = yield* ArtifactStore
  const chunks = yield* Stream.runCollect(store.read(digest))
  return new Uint8Array(Buffer.concat(chunks))
})

export const contentOf = (file: string) => FileSystem.FileSystem.use((fs) => fs.readFile(file))

export const reasonOf = <A, R>(effect: Effect.Effect<A, ArtifactError, R>) =>
  Effect.map(Effect.flip(effect), (error) => error.reason)

/** Neither way to the bytes finds any. */
export const isAbsent = Effect.fnUntraced(function* (digest: Digest) {
  const store = yield* ArtifactStore
  for (const reason of [
    yield* reasonOf(Effect.scoped(store.file(digest))),
    yield* reasonOf(Stream.runDrain(store.read(digest))),
  ]) {
    assert.deepInclude(reason, { _tag: "ArtifactNotFound", digest })
    assert.strictEqual(reason.message, `There is no artifact ${digest}`)
  }
})

export const isStored = Effect.fnUntraced(function* (bytes: Uint8Array) {
  const store = yield* ArtifactStore
  const digest = digestOf(bytes)
  assert.isTrue(Buffer.from(bytes).equals(yield* readAll(digest)))
  const content = yield* Effect.scoped(Effect.flatMap(store.file(digest), contentOf))
  assert.isTrue(Buffer.from(bytes).equals(content))
})

export const store = Effect.fnUntraced(function* (bytes: Uint8Array, chunkSize = 4096) {
  const artifacts = yield* ArtifactStore
  const staged = yield* artifacts.stage(inChunks(bytes, chunkSize), bytes.length)
  yield* staged.commit
  return staged
}, Effect.scoped)
