/** What the tests of the embedded server share: temp folders, the layer, owner processes, a look at what runs. */
import { execFile, spawn } from "node:child_process"
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { NodeServices } from "@effect/platform-node"
import { PgClient } from "@effect/sql-pg"
import { afterAll } from "@effect/vitest"
import { Effect, Layer, Schedule, Schema } from "effect"
import { EmbeddedPostgres, type EmbeddedPostgresOptions } from "../../src/embedded/EmbeddedPostgres.ts"

/** Tests move TMPDIR; their own folders do not follow. */
const systemFolder = tmpdir()

/** A new folder, removed with the scope. */
export const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => realpathSync(mkdtempSync(join(systemFolder, "mf-embedded-")))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true })),
)

let cluster: string | undefined

afterAll(() => {
  if (cluster !== undefined) rmSync(dirname(cluster), { recursive: true, force: true })
})

/** A data folder in `root` that has been opened before: a copy, because making one takes most of a second. */
export const clusterIn = Effect.fnUntraced(function* (root: string) {
  if (cluster === undefined) {
    const folder = mkdtempSync(join(systemFolder, "mf-cluster-"))
    cluster = join(folder, "pg")
    yield* Effect.scoped(open({ dataDirectory: cluster }))
  }
  const dataDirectory = join(root, "pg")
  yield* run("cp", "-a", cluster, dataDirectory)
  return dataDirectory
})

/** Sets an environment variable until the scope closes. */
export const environmentVariable = (name: string, value: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const before = process.env[name]
      process.env[name] = value
      return before
    }),
    (before) =>
      Effect.sync(() => {
        if (before === undefined) delete process.env[name]
        else process.env[name] = before
      }),
  )

export const layer = (options: EmbeddedPostgresOptions) =>
  EmbeddedPostgres.layer(options).pipe(Layer.provide(NodeServices.layer))

/** Opens the folder until the scope of the caller closes. */
export const open = (options: EmbeddedPostgresOptions) =>
  EmbeddedPostgres.make(options).pipe(Effect.provide(NodeServices.layer))

export const reasonOf = <A, R>(effect: Effect.Effect<A, { readonly reason: unknown }, R>) =>
  Effect.map(Effect.flip(effect), ({ reason }) => reason)

/** Runs `use` with a client of the server. */
const withClient = <A, E, R>(socketPath: string, use: Effect.Effect<A, E, R>) =>
  Effect.provide(
    use,
    PgClient.layer({ path: socketPath, username: "postgres", database: "postgres", maxConnections: 2 }),
  )

export const query = (socketPath: string, text: string) =>
  withClient(
    socketPath,
    Effect.flatMap(PgClient.PgClient, (sql) => sql.unsafe<Record<string, unknown>>(text)),
  )

const orUndefined = <A>(read: () => A) => {
  try {
    return read()
  } catch {
    return undefined
  }
}

/** Processes other than this one that work in `folder` or name it in their arguments. */
export const processesOf = (folder: string) =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      const cwd = orUndefined(() => readlinkSync(`/proc/${pid}/cwd`)) ?? ""
      const command = orUndefined(() => readFileSync(`/proc/${pid}/cmdline`, "utf8")) ?? ""
      return cwd.startsWith(folder) || command.includes(folder)
    })
    .map(Number)

/** Waits until `condition` holds; fails after 40 seconds, which a start on a busy machine does not take. */
export const eventually = (what: string, condition: () => boolean) =>
  Effect.sync(condition).pipe(
    Effect.repeat({ until: (holds) => holds, schedule: Schedule.spaced("5 millis") }),
    Effect.timeoutOrElse({
      duration: "40 seconds",
      orElse: () => Effect.die(new Error(`did not happen: ${what}`)),
    }),
  )

export const nothingRunsIn = (folder: string) =>
  eventually(`nothing runs in ${folder}`, () => processesOf(folder).length === 0)

const Opened = Schema.fromJsonString(
  Schema.Struct({ pid: Schema.Int, socketDirectory: Schema.String, socketPath: Schema.String }),
)

const ownerScript = fileURLToPath(new URL("owner.ts", import.meta.url))

export interface OwnerOptions {
  readonly environment?: Record<string, string>
  /** Words before `node`. */
  readonly prefix?: ReadonlyArray<string>
}

/**
 * Another process that opens `dataDirectory` (see owner.ts), in a process group of its own; killed with the scope.
 * `lines` grows with what it prints.
 */
export const startOwner = (
  mode: "hold" | "write" | "interrupted",
  dataDirectory: string,
  { environment = {}, prefix = [] }: OwnerOptions = {},
) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const [program = process.execPath, ...args] = [
        ...prefix,
        process.execPath,
        "--conditions=modelforge-source",
        ownerScript,
        mode,
        dataDirectory,
      ]
      const child = spawn(program, args, {
        detached: true,
        stdio: ["ignore", "pipe", "inherit"],
        // What a killed owner leaves behind goes with the test's folder.
        env: { ...process.env, TMPDIR: dirname(dataDirectory), ...environment },
      })
      const lines: Array<string> = []
      createInterface({ input: child.stdout }).on("line", (line) => lines.push(line))
      const exited = new Promise<number | null>((resolve) => child.on("exit", (code) => resolve(code)))
      return { child, pid: child.pid ?? Number.NaN, lines, exited }
    }),
    ({ child, exited }) =>
      Effect.promise(() => {
        child.kill("SIGKILL")
        return exited
      }),
  )

export type Owner = Effect.Success<ReturnType<typeof startOwner>>

/** Waits until the owner has the folder open. */
export const opened = Effect.fnUntraced(function* (owner: Owner) {
  yield* eventually("the owner opened the folder", () => owner.lines.length > 0)
  return yield* Schema.decodeEffect(Opened)(owner.lines[0] ?? "")
})

export const kill = (pid: number, signal: NodeJS.Signals) => Effect.sync(() => process.kill(pid, signal))

/** Makes a folder of links to these programs, for a PATH that offers nothing else. */
export const onlyPrograms = (folder: string, ...programs: ReadonlyArray<string>) => {
  mkdirSync(folder)
  for (const program of programs) {
    const found = (process.env.PATH ?? "")
      .split(":")
      .map((directory) => join(directory, program))
      .find((file) => existsSync(file))
    if (found === undefined) throw new Error(`this machine has no ${program}`)
    symlinkSync(found, join(folder, program))
  }
  return folder
}

export const run = (program: string, ...args: ReadonlyArray<string>) =>
  Effect.callback<string, Error>((resume) => {
    execFile(program, args, (error, stdout) => resume(error ? Effect.fail(error) : Effect.succeed(stdout)))
  })
