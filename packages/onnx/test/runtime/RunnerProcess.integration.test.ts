import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import * as onnx from "../onnxFile.ts"
import { isRunning, runnersOf } from "../processes.ts"
import { modelFile } from "./runtimeSuite.ts"

/** A process that loads the model and runs it, or stays idle when it has no input. */
const host = (file: string, mode: "busy" | "idle"): Effect.Effect<ChildProcess> =>
  Effect.promise(async () => {
    const child = spawn(
      process.execPath,
      ["--conditions=modelforge-source", new URL("./hostProcess.ts", import.meta.url).pathname, file, mode],
      { stdio: ["ignore", "pipe", "inherit"], env: {} },
    )
    await once(child.stdout, "data")
    return child
  })

/** Resolves once `done` holds; fails when it does not within 30 s. */
const eventually = (done: () => boolean) =>
  Effect.suspend(() => (done() ? Effect.void : Effect.fail("not yet"))).pipe(
    Effect.retry(Schedule.max([Schedule.spaced("20 millis"), Schedule.recurs(1500)])),
  )

describe("a runner whose host is gone", () => {
  for (const mode of ["idle", "busy"] as const) {
    it.live(`ends when its host is killed, while it is ${mode}`, () =>
      Effect.gen(function* () {
        const child = yield* host(yield* modelFile(onnx.loop(10_000_000_000n)), mode)
        const [runner] = runnersOf(child.pid ?? 0)
        assert.isDefined(runner)
        child.kill("SIGKILL")
        yield* eventually(() => !isRunning(runner))
      }).pipe(Effect.scoped),
    )
  }

  it.live("leaves Ctrl-C to its host", () =>
    Effect.gen(function* () {
      const child = yield* host(yield* modelFile(onnx.loop(1n)), "idle")
      const [runner] = runnersOf(child.pid ?? 0)
      assert.isDefined(runner)
      // A group of its own, and a handler besides: bit 1 is SIGINT.
      assert.strictEqual(readFileSync(`/proc/${runner}/stat`, "utf8").split(" ")[4], String(runner))
      const caught = /SigCgt:\s*([0-9a-f]+)/.exec(readFileSync(`/proc/${runner}/status`, "utf8"))?.[1]
      assert.strictEqual(BigInt(`0x${caught}`) & 2n, 2n)
      // An orderly end of the host ends it.
      const ended = once(child, "exit")
      child.kill("SIGTERM")
      yield* Effect.promise(() => ended)
      yield* eventually(() => !isRunning(runner))
    }).pipe(Effect.scoped),
  )
})
