import { readdirSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Option } from "effect"
import { EmbeddedPostgres } from "../../src/embedded/EmbeddedPostgres.ts"
import {
  clusterIn,
  environmentVariable,
  eventually,
  kill,
  layer,
  nothingRunsIn,
  open,
  processesOf,
  query,
  reasonOf,
  temporaryFolder,
} from "./harness.ts"

describe("EmbeddedPostgres", () => {
  it.live("starts in a new folder, keeps data across stops, and leaves nothing running", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder
      yield* environmentVariable("TMPDIR", root)
      const dataDirectory = join(root, "deep", "down", "pg")

      const first = yield* Effect.gen(function* () {
        const server = yield* EmbeddedPostgres
        expect(server.dataDirectory).toBe(dataDirectory)
        expect(server.version).toMatch(/^\d+\.\d+$/)
        expect(processesOf(dataDirectory)).toContain(server.pid)
        yield* query(server.socketPath, "CREATE TABLE kept AS SELECT 42 AS answer")
        return server
      }).pipe(Effect.provide(layer({ dataDirectory })))
      expect(processesOf(root)).toEqual([])

      yield* Effect.gen(function* () {
        const server = yield* EmbeddedPostgres
        expect(server.pid).not.toBe(first.pid)
        expect(yield* query(server.socketPath, "SELECT answer FROM kept")).toEqual([{ answer: 42 }])
      }).pipe(Effect.provide(layer({ dataDirectory })))

      expect(processesOf(root)).toEqual([])
      expect(readdirSync(root)).toEqual(["deep"])
      expect(readdirSync(join(root, "deep", "down"))).toEqual(["pg"])
      expect(readdirSync(dataDirectory)).not.toContain("modelforge-owner.json")
    }),
  )

  it.live("is private and durable, and takes settings that do not change that", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder
      const server = yield* open({
        dataDirectory: yield* clusterIn(root),
        settings: { max_connections: "23", listen_addresses: "*", unix_socket_directories: root },
      })
      const show = (setting: string) =>
        Effect.map(query(server.socketPath, `SHOW ${setting}`), ([row]) => row?.[setting])

      expect(yield* show("max_connections")).toBe("23")
      expect(yield* show("listen_addresses")).toBe("")
      expect(yield* show("unix_socket_directories")).toBe(server.socketDirectory)
      expect(yield* show("fsync")).toBe("on")
      expect(yield* show("synchronous_commit")).toBe("on")
      expect(yield* show("full_page_writes")).toBe("on")
      expect(yield* show("data_checksums")).toBe("on")
      expect(statSync(server.socketDirectory).mode & 0o777).toBe(0o700)
      expect(statSync(server.dataDirectory).mode & 0o777).toBe(0o700)
    }).pipe(Effect.scoped),
  )

  it.live("puts the socket where its path is short enough", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder
      const long = yield* temporaryFolder
      const deep = join(long, "a".repeat(90))
      yield* Effect.promise(() => import("node:fs/promises").then((fs) => fs.mkdir(deep)))
      yield* environmentVariable("TMPDIR", deep)
      const server = yield* open({ dataDirectory: yield* clusterIn(root) })
      expect(server.socketDirectory).toMatch(/^\/tmp\/mfpg-/)
      expect(yield* query(server.socketPath, "SELECT 1 AS one")).toEqual([{ one: 1 }])
    }).pipe(Effect.scoped),
  )

  it.live("tells when the server dies, and can be opened again", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder
      const dataDirectory = yield* clusterIn(root)
      yield* Effect.gen(function* () {
        const server = yield* EmbeddedPostgres
        yield* query(server.socketPath, "CREATE TABLE kept AS SELECT 1 AS one")
        yield* kill(server.pid, "SIGKILL")
        const exit = yield* server.exited
        expect(Option.isNone(exit.exitCode)).toBe(true)
        expect(exit.log).toContain("database system is ready to accept connections")
      }).pipe(Effect.provide(layer({ dataDirectory })))

      const server = yield* open({ dataDirectory })
      expect(yield* query(server.socketPath, "SELECT one FROM kept")).toEqual([{ one: 1 }])
    }).pipe(Effect.scoped),
  )

  it.live("does not call an orderly stop an exit", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder
      const server = yield* open({ dataDirectory: yield* clusterIn(root) }).pipe(Effect.scoped)
      const waiting = yield* Effect.forkChild(server.exited, { startImmediately: true })
      yield* nothingRunsIn(root)
      expect(waiting.pollUnsafe()).toBeUndefined()
      yield* Fiber.interrupt(waiting)
    }).pipe(Effect.scoped),
  )

  it.live(
    "stops a server that does not answer to signals",
    () =>
      Effect.gen(function* () {
        const root = yield* temporaryFolder
        const dataDirectory = yield* clusterIn(root)
        yield* open({ dataDirectory }).pipe(
          Effect.tap((server) => kill(server.pid, "SIGSTOP")),
          Effect.scoped,
        )
        yield* nothingRunsIn(root)
        const server = yield* open({ dataDirectory })
        expect(yield* query(server.socketPath, "SELECT 1 AS one")).toEqual([{ one: 1 }])
      }).pipe(Effect.scoped),
    60_000,
  )

  it.live("reports a server that cannot start, with its log", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder
      yield* environmentVariable("TMPDIR", root)
      const dataDirectory = yield* clusterIn(root)
      const reason = yield* reasonOf(
        open({ dataDirectory, settings: { shared_buffers: "not a size" } }).pipe(Effect.scoped),
      )
      expect(reason).toMatchObject({ _tag: "StartFailed", dataDirectory })
      expect(String(reason)).toMatch(
        /did not start in .*\/pg: it ended with status 1\. Its last log lines:\n.*invalid value for parameter "shared_buffers"/s,
      )
      expect(readdirSync(root)).toEqual(["pg"])
      expect(processesOf(root)).toEqual([])
    }).pipe(Effect.scoped),
  )

  it.live("leaves nothing running when it is interrupted while the server starts", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder
      yield* environmentVariable("TMPDIR", root)
      const dataDirectory = yield* clusterIn(root)
      yield* open({ dataDirectory }).pipe(Effect.scoped)

      const opening = yield* Effect.forkChild(
        open({ dataDirectory }).pipe(Effect.andThen(Effect.never), Effect.scoped),
      )
      yield* eventually("the server runs", () => processesOf(dataDirectory).length > 0)
      yield* Fiber.interrupt(opening)

      const exit = yield* Fiber.await(opening)
      expect(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)).toBe(true)
      expect(processesOf(root)).toEqual([])
      expect(readdirSync(root)).toEqual(["pg"])
      const server = yield* open({ dataDirectory })
      expect(yield* query(server.socketPath, "SELECT 1 AS one")).toEqual([{ one: 1 }])
    }).pipe(Effect.scoped),
  )

  it.live("opens a folder that exists and is empty, also through a link", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder
      const fs = yield* Effect.promise(() => import("node:fs/promises"))
      yield* Effect.promise(() => fs.mkdir(join(root, "real")))
      yield* Effect.promise(() => fs.symlink("real", join(root, "link")))
      const server = yield* open({ dataDirectory: join(root, "link") })
      expect(server.dataDirectory).toBe(join(root, "real"))
      expect(readdirSync(root).sort()).toEqual(["link", "real"])
    }).pipe(Effect.scoped),
  )

  it.live("fails with a typed error when no temp folder can be made", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder
      writeFileSync(join(root, "file"), "")
      yield* environmentVariable("TMPDIR", join(root, "file"))
      const reason = yield* reasonOf(open({ dataDirectory: join(root, "pg") }).pipe(Effect.scoped))
      expect(reason).toMatchObject({ _tag: "StartFailed" })
      expect(processesOf(root)).toEqual([])
    }).pipe(Effect.scoped),
  )
})
