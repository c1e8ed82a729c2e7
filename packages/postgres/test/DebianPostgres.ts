/**
 * A PostgreSQL 15 of Debian's, the oldest that is supported: what people have who bring their own. Started for one test
 * file with its data in a temporary folder. Where it is not installed it is, as root on Debian; else the tests fail.
 */
import { execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { chownSync, existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Context, Effect, Layer, ManagedRuntime, Redacted } from "effect"
import { afterAll } from "vitest"

const binaries = "/usr/lib/postgresql/15/bin"

const install = () => {
  if (existsSync(`${binaries}/postgres`)) return
  const apt = (...words: ReadonlyArray<string>) =>
    execFileSync("apt-get", words, {
      stdio: "ignore",
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    })
  try {
    // Without it the package makes a cluster of its own and starts it.
    apt("update", "-q")
    apt("install", "-y", "-q", "--no-install-recommends", "postgresql-common")
    execFileSync("sed", [
      "-i",
      "s/^#\\?create_main_cluster.*/create_main_cluster = false/",
      "/etc/postgresql-common/createcluster.conf",
    ])
    apt("install", "-y", "-q", "--no-install-recommends", "postgresql-15")
  } catch {
    // Said below, with what to do.
  }
  if (!existsSync(`${binaries}/postgres`))
    throw new Error("these tests need PostgreSQL 15: apt-get install postgresql-15")
}

/** The server refuses to run as root; then it is the user that the package made. */
const identity = (): { readonly uid?: number; readonly gid?: number } => {
  if (process.getuid?.() !== 0) return {}
  const id = (flag: string) => Number(execFileSync("id", [flag, "postgres"]).toString())
  return { uid: id("-u"), gid: id("-g") }
}

class DebianPostgres extends Context.Service<DebianPostgres, { readonly url: Redacted.Redacted }>()(
  "test/DebianPostgres",
) {
  static readonly layer = Layer.effect(
    this,
    Effect.gen(function* () {
      install()
      const user = identity()
      const folder = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "mf-pg15-"))),
        (made) => Effect.sync(() => rmSync(made, { recursive: true, force: true })),
      )
      if (user.uid !== undefined && user.gid !== undefined) chownSync(folder, user.uid, user.gid)
      const data = join(folder, "data")
      execFileSync(
        `${binaries}/initdb`,
        ["-D", data, "-U", "postgres", "--auth=trust", "-E", "UTF8", "--no-sync"],
        { ...user, cwd: folder, stdio: "ignore" },
      )
      yield* Effect.acquireRelease(
        Effect.promise(async () => {
          const child = spawn(
            `${binaries}/postgres`,
            ["-D", data, "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off"],
            { ...user, cwd: folder, stdio: ["ignore", "ignore", "pipe"] },
          )
          for await (const chunk of child.stderr) if (/ready to accept connections/.test(String(chunk))) break
          if (child.exitCode !== null) throw new Error("PostgreSQL 15 did not start")
          return child
        }),
        (child) =>
          Effect.promise(async () => {
            const ended = once(child, "exit")
            child.kill("SIGINT")
            await ended
          }),
      )
      const host = encodeURIComponent(folder)
      return { url: Redacted.make(`postgres://postgres@localhost/postgres?host=${host}`) }
    }),
  )
}

/** Call it at the top of a test file: the server starts on first use and stops after the last test. */
export const debianServer = () => {
  const runtime = ManagedRuntime.make(DebianPostgres.layer)
  afterAll(() => runtime.dispose())
  return Effect.promise(() => runtime.runPromise(DebianPostgres))
}
