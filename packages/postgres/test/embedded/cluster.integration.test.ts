import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { NodeServices } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, FileSystem, Layer, PlatformError } from "effect"
import { EmbeddedPostgres } from "../../src/embedded/EmbeddedPostgres.ts"
import {
  environmentVariable,
  eventually,
  kill,
  nothingRunsIn,
  open,
  processesOf,
  query,
  reasonOf,
  startOwner,
  temporaryFolder,
} from "./harness.ts"

const refusal = (dataDirectory: string) =>
  reasonOf(open({ dataDirectory }).pipe(Effect.scoped)).pipe(Effect.map(String))

const initFolders = (root: string) => readdirSync(root).filter((name) => name.startsWith(".pg.init-"))

/** Opens `dataDirectory` on a file system in which one operation fails. */
const openWhere = (
  dataDirectory: string,
  broken: (fs: FileSystem.FileSystem) => Partial<FileSystem.FileSystem>,
) =>
  EmbeddedPostgres.make({ dataDirectory }).pipe(
    Effect.scoped,
    Effect.provide(
      Layer.effect(
        FileSystem.FileSystem,
        Effect.map(FileSystem.FileSystem, (fs) => ({ ...fs, ...broken(fs) })),
      ).pipe(Layer.provideMerge(NodeServices.layer)),
    ),
    reasonOf,
    Effect.map(String),
  )

const systemError = (_tag: PlatformError.SystemErrorTag) =>
  Effect.fail(PlatformError.systemError({ _tag, module: "FileSystem", method: "test" }))

describe("the data folder", () => {
  it.live("of another major version is refused with both ways out, and stays as it is", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder
      const dataDirectory = join(root, "pg")
      mkdirSync(dataDirectory)
      writeFileSync(join(dataDirectory, "PG_VERSION"), "12\n")
      const message = yield* refusal(dataDirectory)
      expect(message).toContain("was written by PostgreSQL 12, but the programs here are PostgreSQL 18.")
      expect(message).toMatch(/Set MODELFORGE_PG_BIN .*`modelforge export`.*`modelforge import`/)
      expect(readdirSync(dataDirectory)).toEqual(["PG_VERSION"])
    }).pipe(Effect.scoped),
  )

  it.live("that holds something else is refused and stays as it is", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder
      writeFileSync(join(root, "thesis.txt"), "mine")
      expect(yield* refusal(root)).toContain(
        "it holds files that are not PostgreSQL's. Choose an empty folder",
      )
      expect(readdirSync(root)).toEqual(["thesis.txt"])
    }).pipe(Effect.scoped),
  )

  it.live("that is a file, or below one, is refused", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder
      const file = join(root, "file")
      writeFileSync(file, "")
      expect(yield* refusal(file)).toContain(`The data folder ${file} cannot be used: `)
      expect(yield* refusal(join(file, "pg"))).toContain("cannot be used: ")
    }).pipe(Effect.scoped),
  )

  it.live("that may not be written is refused with what to do", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder
      const dataDirectory = join(root, "pg")
      mkdirSync(dataDirectory)
      const denied = yield* openWhere(dataDirectory, () => ({
        access: () => systemError("PermissionDenied"),
      }))
      expect(denied).toMatch(/permission denied .* readable and writable by the user who runs ModelForge/)
      const readOnly = yield* openWhere(dataDirectory, () => ({ access: () => systemError("Unknown") }))
      expect(readOnly).toMatch(/cannot be used: Unknown/)
      const parent = yield* openWhere(join(root, "new"), (fs) => ({
        makeTempDirectoryScoped: (options) =>
          options?.directory === root ? systemError("PermissionDenied") : fs.makeTempDirectoryScoped(options),
      }))
      expect(parent).toContain("permission denied")
    }).pipe(Effect.scoped),
  )

  it.live("that cannot be put in place is refused, and nothing is left", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder
      const dataDirectory = join(root, "pg")
      const mounted = yield* openWhere(dataDirectory, () => ({ rename: () => systemError("Busy") }))
      expect(mounted).toContain("it is a mount point. Choose a folder inside it")
      const other = yield* openWhere(dataDirectory, () => ({ rename: () => systemError("Unknown") }))
      expect(other).toContain(`could not create the data folder ${dataDirectory}: Unknown`)
      expect(readdirSync(root)).toEqual([])
    }).pipe(Effect.scoped),
  )

  it.live("is not made when initdb fails; the error has its words", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder
      const programs = join(root, "bin")
      mkdirSync(programs)
      writeFileSync(join(programs, "postgres"), '#!/bin/sh\necho "postgres (PostgreSQL) 18.4"\n', {
        mode: 0o755,
      })
      writeFileSync(join(programs, "initdb"), "#!/bin/sh\necho no space left >&2\nexit 3\n", { mode: 0o755 })
      const reason = yield* reasonOf(
        open({ dataDirectory: join(root, "pg"), binaries: programs }).pipe(Effect.scoped),
      )
      expect(reason).toMatchObject({
        _tag: "InitFailed",
        detail: "initdb ended with status 3.\nno space left",
      })
      expect(readdirSync(root)).toEqual(["bin"])

      writeFileSync(join(programs, "initdb"), "#!/bin/sh\nkill -9 $$\n", { mode: 0o755 })
      expect(
        yield* reasonOf(open({ dataDirectory: join(root, "pg"), binaries: programs }).pipe(Effect.scoped)),
      ).toMatchObject({ _tag: "InitFailed", detail: expect.stringContaining("status 1") })
    }).pipe(Effect.scoped),
  )

  it.live("is whole or absent when its maker is killed; the next start clears the rest away", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder
      yield* environmentVariable("TMPDIR", root)
      const dataDirectory = join(root, "pg")
      const owner = yield* startOwner("hold", dataDirectory)
      yield* eventually("initdb works", () =>
        initFolders(root).some((name) => existsSync(join(root, name, "base"))),
      )
      yield* kill(owner.pid, "SIGKILL")
      yield* Effect.promise(() => owner.exited)
      yield* nothingRunsIn(root)
      expect(existsSync(dataDirectory)).toBe(false)
      expect(initFolders(root)).toHaveLength(1)

      const server = yield* open({ dataDirectory })
      expect(yield* query(server.socketPath, "SELECT 1 AS one")).toEqual([{ one: 1 }])
      expect(initFolders(root)).toEqual([])
    }).pipe(Effect.scoped),
  )

  it.live("of a living process that is just making it, and of other names, is not cleared away", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder
      const kept = [`.pg.init-${process.ppid}-1-abc`, ".pg.init-strange", ".other.init-1-1-abc"]
      for (const name of [...kept, `.pg.init-${process.pid}-1-abc`]) mkdirSync(join(root, name))
      yield* open({ dataDirectory: join(root, "pg") }).pipe(Effect.scoped)
      expect(readdirSync(root).sort()).toEqual([...kept, "pg"].sort())
    }).pipe(Effect.scoped),
  )

  it.live("is not made when its making is interrupted, and nothing runs on", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder
      const dataDirectory = join(root, "pg")
      const opening = yield* Effect.forkChild(open({ dataDirectory }).pipe(Effect.scoped))
      yield* eventually("initdb works", () =>
        initFolders(root).some((name) => existsSync(join(root, name, "base"))),
      )
      yield* Fiber.interrupt(opening)
      expect(processesOf(root)).toEqual([])
      expect(readdirSync(root)).toEqual([])
    }).pipe(Effect.scoped),
  )
})
