/** `modelforge serve` as people start it, timed until it says that it is ready. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { globSync, statSync } from "node:fs"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { remember } from "./running.ts"

const root = fileURLToPath(new URL("../../", import.meta.url))
const built = `${root}packages/modelforge/dist/main.js`
const source = `${root}packages/modelforge/src/main.ts`

const changedAt = (file: string): number => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0

/** Whether the build is there and newer than everything it was made of. */
export const isBuilt = (): boolean => {
  const madeAt = changedAt(built)
  return globSync("{packages,adapters,examples}/*/src/**/*.ts", { cwd: root }).every(
    (file) => changedAt(`${root}${file}`) < madeAt,
  )
}

const stopLimitMs = 20_000

export class ServeCommand implements AsyncDisposable {
  readonly port: number
  /** From the start of the process to its `ready` line. */
  readonly readyMs: number
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown>

  private constructor(child: ChildProcess, port: number, readyMs: number) {
    this.#child = child
    this.port = port
    this.readyMs = readyMs
    this.#exited = once(child, "exit")
    remember(this, this.#exited)
  }

  /** Starts the build where there is a fresh one, else the sources. */
  static async start(dataDirectory: string): Promise<ServeCommand> {
    const program = isBuilt() ? [built] : ["--conditions=modelforge-source", source]
    const since = performance.now()
    const child = spawn(
      process.execPath,
      ["--no-warnings", ...program, "serve", "--port", "0", "--data-dir", dataDirectory],
      { stdio: ["ignore", "pipe", "ignore"] },
    )
    for await (const line of createInterface(child.stdout)) {
      const ready = /^ready http:.*:(\d+)$/.exec(line)
      if (ready !== null) return new ServeCommand(child, Number(ready[1]), performance.now() - since)
    }
    throw new Error(`modelforge serve ended before it was ready (code ${child.exitCode ?? "unknown"})`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), stopLimitMs)
    this.#child.kill("SIGTERM")
    await this.#exited
    clearTimeout(timer)
  }
}
