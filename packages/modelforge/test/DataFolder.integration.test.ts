import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem } from "effect"
import { openDoor } from "../src/DataFolder.ts"

const temporaryFolder = Effect.flatMap(FileSystem.FileSystem, (fs) => fs.makeTempDirectoryScoped())
const exists = (path: string) => Effect.flatMap(FileSystem.FileSystem, (fs) => fs.exists(path))

/** A record as a killed server leaves it. */
const leaveRecord = (folder: string, socketPath: string) =>
  Effect.sync(() => {
    mkdirSync(dirname(socketPath), { recursive: true })
    writeFileSync(socketPath, "")
    writeFileSync(`${folder}/server.json`, JSON.stringify({ pid: 1, socketPath }))
  })

describe("openDoor", () => {
  it.effect("records a place for the socket, and takes both back", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const socketPath = yield* Effect.scoped(
        Effect.gen(function* () {
          const socketPath = yield* openDoor(folder)
          assert.deepStrictEqual(JSON.parse(readFileSync(`${folder}/server.json`, "utf8")), {
            pid: process.pid,
            socketPath,
          })
          assert.isTrue(yield* exists(dirname(socketPath)))
          return socketPath
        }),
      )
      assert.isFalse(yield* exists(dirname(socketPath)))
      assert.isFalse(yield* exists(`${folder}/server.json`))
    }).pipe(Effect.provide(NodeServices.layer)),
  )

  it.effect("removes the socket of a predecessor that was killed", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const stale = `${folder}/modelforge-api-old/api.sock`
      yield* leaveRecord(folder, stale)
      yield* openDoor(folder)
      assert.isFalse(yield* exists(dirname(stale)))
    }).pipe(Effect.provide(NodeServices.layer)),
  )

  it.effect("removes no other folder, whatever the record says", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const precious = `${folder}/home/api.sock`
      yield* leaveRecord(folder, precious)
      yield* openDoor(folder)
      assert.isTrue(yield* exists(precious))
    }).pipe(Effect.provide(NodeServices.layer)),
  )

  it.effect("overwrites a record that can't be read", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      writeFileSync(`${folder}/server.json`, "{ half")
      const socketPath = yield* openDoor(folder)
      assert.include(readFileSync(`${folder}/server.json`, "utf8"), socketPath)
    }).pipe(Effect.provide(NodeServices.layer)),
  )
})
