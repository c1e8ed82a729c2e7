import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Exit, Result } from "effect"
import {
  clusterIn,
  environmentVariable,
  eventually,
  kill,
  nothingRunsIn,
  open,
  opened,
  processesOf,
  query,
  reasonOf,
  startOwner,
  temporaryFolder,
} from "./harness.ts"

/** A process that lives until the scope closes and has nothing to do with PostgreSQL. */
const bystander = Effect.acquireRelease(
  Effect.promise(async () => {
    const { spawn } = await import("node:child_process")
    return spawn("sleep", ["600"], { cwd: "/" })
  }),
  (child) => Effect.sync(() => child.kill("SIGKILL")),
)

const ownerRecord = (dataDirectory: string) => join(dataDirectory, "modelforge-owner.json")

describe("ownership of the data folder", () => {
  it.live("refuses a second process at once; the first goes on", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder
      const dataDirectory = yield* clusterIn(root)
      const owner = yield* startOwner("hold", dataDirectory)
      const server = yield* opened(owner)

      const [took, reason] = yield* Effect.timed(reasonOf(open({ dataDirectory }).pipe(Effect.scoped)))
      expect(reason).toMatchObject({
        _tag: "DataFolderInUse",
        pid: owner.pid,
        owner: "another ModelForge process",
      })
      expect(Duration.toMillis(took)).toBeLessThan(1000)
      expect(yield* query(server.socketPath, "SELECT 1 AS one")).toEqual([{ one: 1 }])
      expect(existsSync(ownerRecord(dataDirectory))).toBe(true)

      yield* kill(owner.pid, "SIGTERM")
      expect(yield* Effect.promise(() => owner.exited)).toBe(130)
      yield* nothingRunsIn(root)
    }).pipe(Effect.scoped),
  )

  it.live("refuses a second opening in the same process", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder
      const dataDirectory = yield* clusterIn(root)
      yield* open({ dataDirectory })
      const reason = yield* reasonOf(open({ dataDirectory }).pipe(Effect.scoped))
      expect(reason).toMatchObject({ _tag: "DataFolderInUse", pid: process.pid, owner: "this process" })
    }).pipe(Effect.scoped),
  )

  it.live("lets exactly one of several that start together open a new folder", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder
      const dataDirectory = join(root, "pg")
      const results = yield* Effect.all(
        Array.from({ length: 3 }, () => Effect.result(open({ dataDirectory }))),
        { concurrency: "unbounded" },
      )
      expect(results.filter(Result.isSuccess)).toHaveLength(1)
      for (const result of results.filter(Result.isFailure)) {
        expect(result.failure.reason).toMatchObject({ _tag: "DataFolderInUse" })
      }
      expect(readdirSync(root)).toEqual(["pg"])
      const server = results.find(Result.isSuccess)?.success
      expect(yield* query(server?.socketPath ?? "", "SELECT 1 AS one")).toEqual([{ one: 1 }])
    }).pipe(Effect.scoped),
  )

  it.live("refuses a folder that a server without a known owner has open", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder
      const dataDirectory = yield* clusterIn(root)
      const server = yield* open({ dataDirectory })
      writeFileSync(ownerRecord(dataDirectory), "not a record")
      const reason = yield* reasonOf(open({ dataDirectory }).pipe(Effect.scoped))
      expect(reason).toMatchObject({
        _tag: "DataFolderInUse",
        pid: server.pid,
        owner: "a PostgreSQL server",
      })
    }).pipe(Effect.scoped),
  )

  it.live("waits for the server of a killed process, then cleans up behind it", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder
      yield* environmentVariable("TMPDIR", root)
      const dataDirectory = yield* clusterIn(root)
      const owner = yield* startOwner("hold", dataDirectory)
      const before = yield* opened(owner)
      // Stopped, it cannot act on its owner's death until it is continued.
      yield* kill(before.pid, "SIGSTOP")
      yield* kill(owner.pid, "SIGKILL")
      yield* Effect.promise(() => owner.exited)

      const [server] = yield* Effect.all(
        [open({ dataDirectory }), Effect.delay(kill(before.pid, "SIGCONT"), "500 millis")],
        { concurrency: "unbounded" },
      )
      expect(yield* query(server.socketPath, "SELECT 1 AS one")).toEqual([{ one: 1 }])
      expect(existsSync(before.socketDirectory)).toBe(false)
      expect(existsSync(server.socketDirectory)).toBe(true)
    }).pipe(Effect.scoped),
  )

  it.live(
    "gives up on the server of a killed process that does not stop, and leaves it alone",
    () =>
      Effect.gen(function* () {
        const root = yield* temporaryFolder
        const dataDirectory = yield* clusterIn(root)
        const owner = yield* startOwner("hold", dataDirectory)
        const before = yield* opened(owner)
        yield* kill(before.pid, "SIGSTOP")
        yield* Effect.addFinalizer(() => kill(before.pid, "SIGKILL"))
        yield* kill(owner.pid, "SIGKILL")
        yield* Effect.promise(() => owner.exited)

        const reason = yield* reasonOf(open({ dataDirectory }).pipe(Effect.scoped))
        expect(reason).toMatchObject({ _tag: "DataFolderInUse", pid: before.pid })
        expect(processesOf(dataDirectory)).toContain(before.pid)
      }).pipe(Effect.scoped),
    60_000,
  )

  it.live("opens a folder whose lock file names a process that is gone or was never a server", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder
      const dataDirectory = yield* clusterIn(root)
      const other = yield* bystander
      const lock = yield* Effect.gen(function* () {
        const server = yield* open({ dataDirectory })
        return readFileSync(join(server.dataDirectory, "postmaster.pid"), "utf8")
      }).pipe(Effect.scoped)

      for (const pid of [2 ** 22 + 1, other.pid]) {
        writeFileSync(join(dataDirectory, "postmaster.pid"), lock.replace(/^\d+/, String(pid)))
        yield* Effect.gen(function* () {
          const server = yield* open({ dataDirectory })
          expect(yield* query(server.socketPath, "SELECT 1 AS one")).toEqual([{ one: 1 }])
        }).pipe(Effect.scoped)
      }
      expect(other.exitCode).toBe(null)
    }).pipe(Effect.scoped),
  )

  it.live("removes only what is certainly a dead owner's socket folder", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder
      const dataDirectory = yield* clusterIn(root)
      yield* open({ dataDirectory }).pipe(Effect.scoped)

      const foreign = join(root, "foreign")
      const notOnlySockets = join(root, "mfpg-other")
      const dead = join(root, "mfpg-dead")
      const alive = join(root, "mfpg-alive")
      for (const folder of [foreign, notOnlySockets, dead, alive]) mkdirSync(folder)
      writeFileSync(join(notOnlySockets, "precious"), "")
      writeFileSync(join(dead, ".s.PGSQL.5432.lock"), "")

      const gone = { pid: process.pid, startedAt: 1 }
      for (const record of [
        { ...gone, socketDirectory: foreign },
        { ...gone, socketDirectory: notOnlySockets },
        { ...gone, socketDirectory: dead },
        { pid: process.ppid, startedAt: 1, socketDirectory: alive },
      ]) {
        writeFileSync(ownerRecord(dataDirectory), JSON.stringify(record))
        yield* open({ dataDirectory }).pipe(Effect.scoped)
      }
      expect(readdirSync(root).sort()).toEqual(["foreign", "mfpg-alive", "mfpg-other", "pg"])
    }).pipe(Effect.scoped),
  )

  it.live("retries while the memory of a crashed predecessor's processes is still in use", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder
      const dataDirectory = yield* clusterIn(root)
      const first = yield* open({ dataDirectory })
      const backend = yield* query(first.socketPath, "SELECT 1 AS one")
      expect(backend).toEqual([{ one: 1 }])
      // A child of the server that cannot notice the server's death, until it is continued.
      const child = processesOf(dataDirectory).find((pid) => pid !== first.pid) ?? 0
      yield* kill(child, "SIGSTOP")
      yield* kill(first.pid, "SIGKILL")
      yield* first.exited

      const [exit] = yield* Effect.all(
        [Effect.exit(open({ dataDirectory })), Effect.delay(kill(child, "SIGCONT"), "500 millis")],
        { concurrency: "unbounded" },
      )
      expect(Exit.isSuccess(exit)).toBe(true)
      yield* eventually("the old child is gone", () => !processesOf(dataDirectory).includes(child))
    }).pipe(Effect.scoped),
  )
})
