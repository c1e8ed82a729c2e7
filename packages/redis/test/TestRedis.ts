/**
 * A Redis of Debian's for one test file: on the loopback interface, a free port and a temporary folder. Where it is not
 * installed it is, as root on Debian; else the tests fail.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Context, Effect, Layer, ManagedRuntime, Redacted } from "effect"
import { afterAll } from "vitest"

const isInstalled = () => {
  try {
    execFileSync("redis-server", ["--version"], { stdio: "ignore" })
    return true
  } catch {
    return false
  }
}

const install = () => {
  if (isInstalled()) return
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" }
  const apt = (...words: ReadonlyArray<string>) => execFileSync("apt-get", words, { stdio: "ignore", env })
  try {
    apt("update", "-q")
    // Without recommendations, and at this run level, the package starts no server of its own.
    apt("install", "-y", "-q", "--no-install-recommends", "redis-server")
  } catch {
    // Said below, with what to do.
  }
  if (!isInstalled()) throw new Error("these tests need Redis: apt-get install redis-server")
}

const freePort = () =>
  new Promise<number>((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0))
    })
  })

export class TestRedis extends Context.Service<
  TestRedis,
  {
    readonly url: Redacted.Redacted
    readonly port: number
    /** `kill -9`; resolves when it is gone. It has written nothing down. */
    readonly kill: Effect.Effect<void>
    /** Starts it again, on the same port. */
    readonly start: Effect.Effect<void>
  }
>()("test/TestRedis") {
  /** With a password where one is given. */
  static readonly make = Effect.fnUntraced(function* (password?: string) {
    install()
    const port = yield* Effect.promise(freePort)
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "mf-redis-"))),
      (made) => Effect.sync(() => rmSync(made, { recursive: true, force: true })),
    )
    let child: ChildProcess | undefined
    const flags = [
      "--bind",
      "127.0.0.1",
      "--port",
      String(port),
      "--save",
      "",
      "--appendonly",
      "no",
      "--dir",
      folder,
    ]
    const protection = password === undefined ? [] : ["--requirepass", password]
    const start = Effect.promise(async () => {
      const started = spawn("redis-server", [...flags, ...protection], { stdio: ["ignore", "pipe", "pipe"] })
      child = started
      for await (const chunk of started.stdout) if (/Ready to accept connections/.test(String(chunk))) break
      started.stdout.resume()
      if (started.exitCode !== null) throw new Error("Redis did not start")
    })
    const kill = Effect.promise(async () => {
      const running = child
      if (running === undefined) return
      child = undefined
      const ended = once(running, "exit")
      running.kill("SIGKILL")
      await ended
    })
    yield* Effect.acquireRelease(start, () => kill)
    const user = password === undefined ? "" : `:${password}@`
    return TestRedis.of({ url: Redacted.make(`redis://${user}127.0.0.1:${port}`), port, kill, start })
  })

  static readonly layer = Layer.effect(this, this.make())
}

/** Call it at the top of a test file: the server starts on first use and stops after the last test. */
export const redisServer = () => {
  const runtime = ManagedRuntime.make(TestRedis.layer)
  afterAll(() => runtime.dispose())
  return Effect.promise(() => runtime.runPromise(TestRedis))
}
