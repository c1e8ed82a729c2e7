/**
 * How PostgreSQL's programs are started on this machine: as which user, and bound to this process's life.
 *
 * PostgreSQL refuses uid 0. As root it runs in a user namespace, where the files stay root's; where those are denied,
 * or the data folder belongs to somebody else, as another user by `setpriv`. An ordinary user runs it directly, except
 * one without a name (`docker run --user 12345`), for whom initdb needs a namespace as well.
 */
import { userInfo } from "node:os"
import { Effect, FileSystem, Option, Path } from "effect"
import { type Binaries, binariesIn } from "./binaries.ts"
import {
  BinariesUnusable,
  DataFolderNotWritable,
  EmbeddedPostgresError,
  RootNotSupported,
} from "./EmbeddedPostgresError.ts"
import { runCommand } from "./runCommand.ts"

interface Way {
  /** Words put before a program and its arguments. */
  readonly prefix: ReadonlyArray<string>
  /** Who must own the data folder and the socket folder, where that is not the current user. */
  readonly user: { readonly uid: number; readonly gid: number } | undefined
  /** Whether the kernel interrupts the program when this process dies. */
  readonly diesWithParent: boolean
}

export interface Launcher extends Way {
  readonly binaries: Binaries
  /** "18.4" */
  readonly version: string
}

/** The program and arguments to spawn; the process id stays that of the program. */
export const commandOf = (way: Way, program: string, args: ReadonlyArray<string>) => {
  const [first = program, ...rest] = [...way.prefix, program, ...args]
  return [first, rest] as const
}

const nobody = { uid: 65534, gid: 65534 }

// `nobody`, because initdb wants a user with a name and this one has one nearly everywhere.
const namespace = ["unshare", "-U", `--map-user=${nobody.uid}`, `--map-group=${nobody.gid}`]

/**
 * SIGINT is PostgreSQL's fast shutdown. The kernel sends it when the *thread* that spawned the server ends, so a server
 * started by a worker thread lives as long as that thread. A parent that died before `setpriv` ran would never be
 * noticed: hence the look at PPID.
 */
const untilParentDies = [
  "--pdeathsig",
  "INT",
  "sh",
  "-c",
  '[ "$PPID" = "$0" ] && exec "$@"',
  String(process.pid),
]

const bound = (...before: ReadonlyArray<string>): Way => ({
  prefix: [...before, "setpriv", ...untilParentDies],
  user: undefined,
  diesWithParent: true,
})

const unbound = (...before: ReadonlyArray<string>): Way => ({
  prefix: before,
  user: undefined,
  diesWithParent: false,
})

const asUser = (user: { readonly uid: number; readonly gid: number }): Way => ({
  prefix: ["setpriv", `--reuid=${user.uid}`, `--regid=${user.gid}`, "--clear-groups", ...untilParentDies],
  user,
  diesWithParent: true,
})

/** Who asks, and for whose folder. */
export interface Identity {
  /** The current user; undefined where the system has none. */
  readonly uid: number | undefined
  /** Whether the current user has a name in the user database. */
  readonly named: boolean
  /** Owner of the data folder, if that exists. */
  readonly folderOwner: { readonly uid: number; readonly gid: number } | undefined
}

const waysFor = ({ uid, named, folderOwner }: Identity): ReadonlyArray<Way> => {
  if (uid === 0) {
    return folderOwner === undefined || folderOwner.uid === 0
      ? [bound(...namespace), unbound(...namespace), asUser(nobody)]
      : [asUser(folderOwner)]
  }
  return named ? [bound(), unbound()] : [bound(...namespace), unbound(...namespace), bound(), unbound()]
}

export const currentIdentity = Effect.fnUntraced(function* (dataDirectory: string) {
  const fs = yield* FileSystem.FileSystem
  const named = yield* Effect.isSuccess(Effect.try(() => userInfo()))
  const owner = yield* Effect.option(
    Effect.map(fs.stat(dataDirectory), ({ uid, gid }) => Option.all({ uid, gid })),
  )
  return {
    uid: process.getuid?.(),
    named,
    folderOwner: Option.getOrUndefined(Option.flatten(owner)),
  } satisfies Identity
})

/** Asks the server's program for its version in this way: tells whether the way works, and the version. */
const tryWay = Effect.fnUntraced(function* (way: Way, binaries: Binaries) {
  const [first, rest] = commandOf(way, binaries.postgres, ["--version"])
  const { exitCode, output } = yield* runCommand(first, ...rest)
  const version = /\(PostgreSQL\) (\d+(?:\.\d+)*)/.exec(output)?.[1]
  return exitCode === 0 && version !== undefined
    ? ({ ...way, binaries, version } satisfies Launcher)
    : undefined
})

const runsAt = Effect.fnUntraced(function* (way: Way, ...command: readonly [string, ...Array<string>]) {
  const [program, ...args] = command
  const [first, rest] = commandOf(way, program, args)
  return (yield* runCommand(first, ...rest)).exitCode === 0
})

/** The other user may not be able to read the programs (below /root, say): it gets a copy beside the data folder. */
const copyBinaries = Effect.fnUntraced(function* (way: Way, binaries: Binaries, dataDirectory: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const target = path.join(path.dirname(dataDirectory), `.${path.basename(dataDirectory)}.programs`)
  const copied = binariesIn(path, path.join(target, path.basename(binaries.folder)))
  const original = yield* tryWay(unbound(), binaries)
  // A copy that somebody else put there is not run, not even to ask for its version.
  const info = yield* Effect.option(fs.stat(target))
  if (Option.exists(info, ({ uid }) => Option.contains(uid, 0))) {
    const present = yield* tryWay(way, copied)
    if (present !== undefined && present.version === original?.version) return copied
  }

  const partial = `${target}.partial`
  // `cp` keeps the relative links between the libraries, which Node's copy would point back at the original.
  const steps = [
    ["rm", "-rf", target, partial],
    ["cp", "-RP", path.dirname(binaries.folder), partial],
    ["chmod", "-R", "a+rX", partial],
    ["mv", partial, target],
  ] as const
  for (const [program, ...args] of steps) {
    const { exitCode, output } = yield* runCommand(program, ...args)
    if (exitCode === 0) continue
    return yield* new EmbeddedPostgresError({
      reason: new BinariesUnusable({
        folder: binaries.folder,
        detail: `the user PostgreSQL must run as cannot read them, and copying them failed: ${output}`,
      }),
    })
  }
  return copied
})

const stepDown = Effect.fnUntraced(function* (way: Way, binaries: Binaries, dataDirectory: string) {
  const path = yield* Path.Path
  const parent = path.dirname(dataDirectory)
  if (!(yield* runsAt(way, "true"))) {
    return yield* new EmbeddedPostgresError({ reason: new RootNotSupported() })
  }
  if (!(yield* runsAt(way, "test", "-x", parent))) {
    return yield* new EmbeddedPostgresError({
      reason: new DataFolderNotWritable({
        dataDirectory,
        detail:
          `PostgreSQL refuses to run as root, and the user it runs as instead (uid ${way.user?.uid}) may not enter ` +
          `${parent}: choose a data folder elsewhere, or start ModelForge as an ordinary user`,
      }),
    })
  }
  const direct = yield* tryWay(way, binaries)
  if (direct !== undefined || !(yield* runsAt(unbound(), binaries.postgres, "--version"))) return direct
  return yield* tryWay(way, yield* copyBinaries(way, binaries, dataDirectory))
})

/**
 * Finds out how to run `binaries` here. The folder above `dataDirectory` must exist.
 * Fails with `BinariesUnusable`, `RootNotSupported` or `DataFolderNotWritable`.
 */
export const makeLauncher = Effect.fnUntraced(function* (
  binaries: Binaries,
  dataDirectory: string,
  identity: Identity,
) {
  for (const way of waysFor(identity)) {
    const launcher =
      way.user === undefined ? yield* tryWay(way, binaries) : yield* stepDown(way, binaries, dataDirectory)
    if (launcher !== undefined) return launcher
  }
  const { output } = yield* runCommand(binaries.postgres, "--version")
  return yield* new EmbeddedPostgresError({
    reason: new BinariesUnusable({ folder: binaries.folder, detail: output }),
  })
})
