import { chmodSync, chownSync, existsSync, mkdirSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { NodeServices } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { defaultSources, findBinaries } from "../../src/embedded/binaries.ts"
import { type Identity, makeLauncher } from "../../src/embedded/Launcher.ts"
import {
  environmentVariable,
  eventually,
  kill,
  nothingRunsIn,
  onlyPrograms,
  open,
  opened,
  processesOf,
  query,
  reasonOf,
  run,
  startOwner,
  temporaryFolder,
} from "./harness.ts"

const isRoot = process.getuid?.() === 0

/** Only these programs are found, until the scope closes. */
const pathOf = (folder: string, ...programs: ReadonlyArray<string>) =>
  environmentVariable("PATH", onlyPrograms(folder, ...programs))

/** A temp folder that other users may enter. */
const publicFolder = Effect.tap(temporaryFolder, (folder) => Effect.sync(() => chmodSync(folder, 0o755)))

const launcherFor = (identity: Identity, dataDirectory: string) =>
  findBinaries(defaultSources(undefined)).pipe(
    Effect.flatMap((binaries) => makeLauncher(binaries, dataDirectory, identity)),
    Effect.provide(NodeServices.layer),
  )

const ordinary: Identity = { uid: 1000, named: true, folderOwner: undefined }

describe("Launcher", () => {
  it.live("runs an ordinary user's server directly, bound to us where setpriv is", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder
      const launcher = yield* launcherFor(ordinary, join(root, "pg"))
      expect(launcher).toMatchObject({ user: undefined, diesWithParent: true })
      expect(launcher.prefix[0]).toBe("setpriv")
      yield* pathOf(join(root, "bin"), "sh")
      expect(yield* launcherFor(ordinary, join(root, "pg"))).toMatchObject({
        user: undefined,
        prefix: [],
        diesWithParent: false,
      })
    }).pipe(Effect.scoped),
  )

  it.live("gives a user without a name one, for initdb", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder
      const unnamed = { ...ordinary, named: false }
      expect((yield* launcherFor(unnamed, join(root, "pg"))).prefix[0]).toBe("unshare")
      yield* pathOf(join(root, "bin"), "setpriv", "sh")
      expect((yield* launcherFor(unnamed, join(root, "pg"))).prefix[0]).toBe("setpriv")
    }).pipe(Effect.scoped),
  )

  it.live("reports programs that do not run, in their own words", () =>
    Effect.gen(function* () {
      const root = yield* publicFolder
      const programs = join(root, "bin")
      mkdirSync(programs)
      for (const name of ["initdb", "postgres"]) {
        writeFileSync(join(programs, name), "#!/bin/sh\necho libicu is missing >&2\nexit 127\n", {
          mode: 0o755,
        })
      }
      const reason = yield* reasonOf(
        open({ dataDirectory: join(root, "pg"), binaries: programs }).pipe(Effect.scoped),
      )
      expect(reason).toMatchObject({
        _tag: "BinariesUnusable",
        folder: programs,
        detail: "libicu is missing",
      })
      expect(String(reason)).toContain("MODELFORGE_PG_BIN")
    }).pipe(Effect.scoped),
  )

  it.live("says that root needs help where neither unshare nor setpriv is", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder
      yield* pathOf(join(root, "bin"), "sh")
      const reason = yield* reasonOf(launcherFor({ ...ordinary, uid: 0 }, join(root, "pg")))
      expect(reason).toMatchObject({ _tag: "RootNotSupported" })
      expect(String(reason)).toContain("start ModelForge as an ordinary user")
    }).pipe(Effect.scoped),
  )

  it.live("serves an ordinary user's process, to its violent end", () =>
    Effect.gen(function* () {
      const root = yield* publicFolder
      const dataDirectory = join(root, "home", "pg")
      mkdirSync(dirname(dataDirectory))
      // In a namespace of its own the process is not root, but may read this repository wherever that is.
      const prefix = isRoot ? ["unshare", "-U", "--map-user=65534", "--map-group=65534"] : []
      const owner = yield* startOwner("write", dataDirectory, { prefix })
      yield* opened(owner)
      yield* eventually("rows are written", () => owner.lines.length > 10)
      yield* kill(owner.pid, "SIGKILL")
      yield* Effect.promise(() => owner.exited)
      yield* nothingRunsIn(root)
      const server = yield* open({ dataDirectory })
      const [row] = yield* query(server.socketPath, "SELECT count(*)::int AS rows FROM written")
      expect(row?.rows).toBeGreaterThanOrEqual(Number(owner.lines.at(-1)))
    }).pipe(Effect.scoped),
  )

  // Stepping down from root can only be seen as root; elsewhere the cases above are the ones that happen.
  describe.runIf(isRoot)("as root without user namespaces", () => {
    const steppedDown = (root: string) =>
      pathOf(join(root, "bin"), "setpriv", "sh", "test", "true", "chown", "chmod")

    it.live("runs as nobody, which gets the data folder", () =>
      Effect.gen(function* () {
        const root = yield* publicFolder
        const dataDirectory = join(root, "pg")
        // As a namespace left it: root's.
        yield* open({ dataDirectory }).pipe(Effect.scoped)
        expect(statSync(dataDirectory).uid).toBe(0)

        yield* steppedDown(root)
        for (const _ of ["changes owner", "keeps owner"]) {
          yield* Effect.gen(function* () {
            const server = yield* open({ dataDirectory })
            expect(statSync(`/proc/${server.pid}`).uid).toBe(65534)
            expect(statSync(join(dataDirectory, "base")).uid).toBe(65534)
            expect(yield* query(server.socketPath, "SELECT 1 AS one")).toEqual([{ one: 1 }])
          }).pipe(Effect.scoped)
        }
        expect(processesOf(root)).toEqual([])
      }).pipe(Effect.scoped),
    )

    it.live("makes a new data folder as nobody, with a copy of programs it may not read", () =>
      Effect.gen(function* () {
        const root = yield* publicFolder
        const { folder } = yield* findBinaries(defaultSources(undefined)).pipe(
          Effect.provide(NodeServices.layer),
        )
        const closed = join(root, "closed")
        mkdirSync(closed, { mode: 0o700 })
        yield* run("cp", "-R", dirname(folder), join(closed, "native"))
        const programs = ["setpriv", "sh", "test", "true", "chown", "chmod", "rm", "mv"]
        yield* pathOf(join(root, "less"), ...programs)

        const dataDirectory = join(root, "pg")
        const options = { dataDirectory, binaries: join(closed, "native", "bin") }
        const trap = join(root, ".pg.programs", "bin")
        mkdirSync(trap, { recursive: true })
        writeFileSync(join(trap, "postgres"), `#!/bin/sh\necho trapped > ${root}/trapped\n`, { mode: 0o755 })
        chownSync(join(root, ".pg.programs"), 1234, 1234)
        const copyOf = () => statSync(join(root, ".pg.programs", "bin", "postgres")).ino
        expect(yield* reasonOf(open(options).pipe(Effect.scoped))).toMatchObject({
          _tag: "BinariesUnusable",
          detail: expect.stringContaining("copying them failed"),
        })

        yield* Effect.sync(() => symlinkSync("/bin/cp", join(root, "less", "cp")))
        yield* open(options).pipe(Effect.scoped)
        expect(statSync(dataDirectory).uid).toBe(65534)
        expect(existsSync(join(root, "trapped"))).toBe(false)
        const copy = copyOf()
        const server = yield* open(options)
        expect(copyOf()).toBe(copy)
        expect(yield* query(server.socketPath, "SELECT 1 AS one")).toEqual([{ one: 1 }])
      }).pipe(Effect.scoped),
    )

    it.live("dies with its owner", () =>
      Effect.gen(function* () {
        const root = yield* publicFolder
        const dataDirectory = join(root, "pg")
        yield* steppedDown(root)
        const owner = yield* startOwner("write", dataDirectory)
        yield* opened(owner)
        yield* eventually("rows are written", () => owner.lines.length > 10)
        yield* kill(owner.pid, "SIGKILL")
        yield* Effect.promise(() => owner.exited)
        yield* nothingRunsIn(dataDirectory)
      }).pipe(Effect.scoped),
    )

    it.live("runs as the owner of the data folder, whose it stays", () =>
      Effect.gen(function* () {
        const root = yield* publicFolder
        const dataDirectory = join(root, "pg")
        yield* open({ dataDirectory }).pipe(Effect.scoped)
        yield* run("chown", "-R", "1234:1234", dataDirectory)
        const server = yield* open({ dataDirectory })
        expect(statSync(`/proc/${server.pid}`).uid).toBe(1234)
        expect(yield* query(server.socketPath, "SELECT 1 AS one")).toEqual([{ one: 1 }])
      }).pipe(Effect.scoped),
    )

    it.live("refuses a data folder that nobody can reach", () =>
      Effect.gen(function* () {
        const root = yield* temporaryFolder
        yield* steppedDown(yield* publicFolder)
        const reason = yield* reasonOf(open({ dataDirectory: join(root, "pg") }).pipe(Effect.scoped))
        expect(reason).toMatchObject({ _tag: "DataFolderNotWritable" })
        expect(String(reason)).toMatch(/the user it runs as instead \(uid 65534\) may not enter/)
      }).pipe(Effect.scoped),
    )
  })
})
