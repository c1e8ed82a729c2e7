import { readdirSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import {
  clusterIn,
  environmentVariable,
  eventually,
  kill,
  nothingRunsIn,
  type OwnerOptions,
  onlyPrograms,
  open,
  opened,
  processesOf,
  query,
  startOwner,
  temporaryFolder,
} from "./harness.ts"

const killWhileWriting = Effect.fnUntraced(function* (ownerOptions: (root: string) => OwnerOptions) {
  const root = yield* temporaryFolder
  yield* environmentVariable("TMPDIR", root)
  const dataDirectory = yield* clusterIn(root)
  const owner = yield* startOwner("write", dataDirectory, ownerOptions(root))
  yield* opened(owner)
  yield* eventually("rows are written", () => owner.lines.length > 50)
  yield* kill(owner.pid, "SIGKILL")
  yield* Effect.promise(() => owner.exited)
  yield* nothingRunsIn(dataDirectory)

  const acknowledged = Number(owner.lines.at(-1))
  const server = yield* open({ dataDirectory })
  const [row] = yield* query(server.socketPath, "SELECT count(*)::int AS rows, max(n) AS last FROM written")
  // One more may have been committed without being acknowledged.
  expect(row?.rows).toBe(row?.last)
  expect([acknowledged, acknowledged + 1]).toContain(row?.rows)
  expect(readdirSync(root).filter((name) => name.startsWith("mfpg-"))).toHaveLength(1)
})

describe("the life of the server", () => {
  it.live("ends with its owner, kill -9 included, and every acknowledged row is there again", () =>
    killWhileWriting(() => ({})).pipe(Effect.scoped),
  )

  it.live("ends with its owner also where there is no setpriv", () =>
    killWhileWriting((root) => ({
      environment: { PATH: onlyPrograms(join(root, "bin"), "unshare", "sh") },
    })).pipe(Effect.scoped),
  )

  it.live("stops in order where there is no setpriv, and leaves no watchdog", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder
      const dataDirectory = yield* clusterIn(root)
      yield* environmentVariable("PATH", onlyPrograms(join(root, "bin"), "unshare", "sh"))
      const watchdogs = () => processesOf("read -r _; kill -INT")
      const server = yield* open({ dataDirectory }).pipe(
        Effect.tap(() => Effect.sync(() => expect(watchdogs()).toHaveLength(1))),
        Effect.scoped,
      )
      expect(processesOf(server.dataDirectory)).toEqual([])
      expect(watchdogs()).toEqual([])
    }).pipe(Effect.scoped),
  )

  it.live("does not see a Ctrl-C in its owner's terminal", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder
      const owner = yield* startOwner("interrupted", yield* clusterIn(root))
      const server = yield* opened(owner)
      yield* eventually("it listens for the signal", () => owner.lines.includes("listening"))
      expect(processesOf(root)).toContain(server.pid)
      yield* kill(-owner.pid, "SIGINT")
      expect(yield* Effect.promise(() => owner.exited)).toBe(0)
      expect(owner.lines.at(-1)).toBe("served")
      expect(processesOf(root)).toEqual([])
    }).pipe(Effect.scoped),
  )

  it.live("is stopped by an owner that is told to stop", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder
      const owner = yield* startOwner("hold", yield* clusterIn(root))
      yield* opened(owner)
      yield* kill(-owner.pid, "SIGINT")
      yield* Effect.promise(() => owner.exited)
      expect(processesOf(root)).toEqual([])
    }).pipe(Effect.scoped),
  )
})
