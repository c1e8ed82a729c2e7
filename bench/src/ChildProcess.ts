/** A child process of the benchmark: pinned to cores where asked, told jobs, and ended with the benchmark. */
import { type ChildProcess as Child, fork } from "node:child_process"
import { once } from "node:events"
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { Schema } from "effect"
import { remember } from "./running.ts"

export interface ChildOptions {
  /** The entry's module, relative to this folder. */
  readonly entry: string
  /** Told to the entry as JSON, its only argument. */
  readonly options?: unknown
  /** The core it is pinned to, with its own children; left to the system where pinning is not possible. */
  readonly core?: number | undefined
}

const Reply = Schema.Union([
  Schema.Struct({ done: Schema.Unknown }),
  Schema.Struct({ failed: Schema.String }),
])
const decodeReply = Schema.decodeUnknownSync(Reply)

const taskset = ["/usr/bin/taskset", "/bin/taskset"].find((path) => existsSync(path))

/** Whether children can be pinned to cores here. */
export const canPin = taskset !== undefined

/** What a server may take to stop in order: databases write their last page. */
const stopLimitMs = 20_000

export class ChildProcess implements AsyncDisposable {
  readonly #child: Child
  readonly #entry: string
  readonly #exited: Promise<unknown>

  private constructor(child: Child, entry: string) {
    this.#child = child
    this.#entry = entry
    this.#exited = once(child, "exit")
    remember(this, this.#exited)
  }

  /** Starts the entry and waits until it is ready; gives what it said then. */
  static async start({ entry, options = {}, core }: ChildOptions) {
    const node = ["--conditions=modelforge-source", "--no-warnings"]
    const pinned =
      core === undefined || taskset === undefined ? undefined : ["-c", String(core), process.execPath]
    const child = fork(fileURLToPath(new URL(entry, import.meta.url)), [JSON.stringify(options)], {
      ...(pinned === undefined ? { execArgv: node } : { execPath: taskset, execArgv: [...pinned, ...node] }),
      serialization: "advanced",
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      // A terminal's Ctrl-C is the benchmark's; it then ends its children in order.
      detached: true,
    })
    const started = new ChildProcess(child, entry)
    return { child: started, ready: await started.#reply() }
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** Sends a job; gives its result. One at a time. */
  ask(job: object): Promise<unknown> {
    if (!this.#child.connected) return Promise.reject(new Error(`${this.#entry} has ended`))
    this.#child.send(job)
    return this.#reply()
  }

  #reply(): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    const settle = () => {
      this.#child.off("message", received).off("exit", lost)
    }
    const received = (message: unknown) => {
      settle()
      const reply = decodeReply(message)
      if ("failed" in reply) reject(new Error(`${this.#entry}: ${reply.failed}`))
      else resolve(reply.done)
    }
    const lost = (code: number | null, signal: string | null) => {
      settle()
      reject(new Error(`${this.#entry} ended unexpectedly (${signal ?? `code ${code}`})`))
    }
    this.#child.on("message", received).on("exit", lost)
    return promise
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), stopLimitMs)
    if (this.#child.connected) this.#child.disconnect()
    await this.#exited
    clearTimeout(timer)
  }
}
