import { createHash } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { AliasName, Digest, ModelName, UploadId } from "@modelforge/core"
import { Effect, Exit, Option, Stream } from "effect"
import { onnx, upload } from "../../../http/test/Mount.ts"
import { CommandFailed } from "../../src/command/CommandFailed.ts"
import type { ModelFile } from "../../src/push/ModelFile.ts"
import { makeAsk } from "../../src/push/ServerRequests.ts"
import { makeTransfer, type PushPlan } from "../../src/push/transfer.ts"
import type { UploadMemory } from "../../src/push/UploadMemory.ts"
import { answering, answerLost, cutAfter, mountServer, passing, unreachable } from "./mountedServer.ts"

const model = ModelName.make("wine")
const uploads = "/v1/models/wine/uploads"

const fileOf = (text: string): ModelFile => ({
  size: text.length,
  digest: Digest.make(createHash("sha256").update(text).digest("hex")),
  bytes: (offset: number, length: number) => Stream.make(Buffer.from(text).subarray(offset, offset + length)),
})
const content = onnx("floats", "pushed in pieces")

const remembering = () => {
  let known = Option.none<UploadId>()
  const memory: UploadMemory = {
    recall: Effect.sync(() => known),
    remember: (id) => Effect.sync(() => (known = Option.some(id))),
    forget: Effect.sync(() => (known = Option.none())),
    isKept: Effect.sync(() => Option.isSome(known)),
  }
  return memory
}

const plain: PushPlan = { model, alias: null, force: false, description: null }

const silent = { read: () => {}, reached: () => {}, sent: () => {}, tell: () => Effect.void }

type Server = Effect.Success<typeof mountServer>

/** A command from its begin to its end, which waits for nothing, and gives up after some attempts. */
const push = Effect.fnUntraced(function* (
  server: Server,
  {
    file = fileOf(content),
    plan = plain,
    memory = remembering(),
    pieceBytes = 1024,
  }: {
    readonly file?: ModelFile
    readonly plan?: PushPlan
    readonly memory?: UploadMemory
    readonly pieceBytes?: number
  } = {},
) {
  const told: Array<string> = []
  const waited: Array<number | undefined> = []
  const positions: Array<number> = []
  let advances = 0
  const transfer = makeTransfer({
    ...{ file, plan, memory, pieceBytes },
    ask: makeAsk("http://localhost"),
    progress: { ...silent, reached: (at: number) => positions.push(at) },
    progressed: () => advances++,
  })
  const attempt = Effect.tapError(transfer, (error) =>
    Effect.sync(() => {
      if (error._tag !== "TryAgain") return
      told.push(error.detail)
      waited.push(error.afterMs)
    }),
  )
  const exit = yield* attempt.pipe(
    Effect.retry({ times: 9, while: ({ _tag }) => _tag === "TryAgain" }),
    Effect.provide(server.layer),
    Effect.exit,
  )
  return { exit, told, waited, positions, memory, advances }
})

const version = <A>(exit: Exit.Exit<A, unknown>): A => {
  if (Exit.isFailure(exit)) throw new Error(String(exit.cause))
  return exit.value
}

const failure = (exit: Exit.Exit<unknown, unknown>) => {
  const reason = Exit.isFailure(exit) ? exit.cause.reasons[0] : undefined
  const error = reason !== undefined && "error" in reason ? reason.error : undefined
  if (!(error instanceof CommandFailed)) assert.fail(`not a failure of the command: ${String(exit)}`)
  return error
}

/** Requests without ids, which are chosen by the server. */
const asked = ({ lines }: Server) =>
  lines.map((line) => line.replace(uploads, "").replace(/\/[0-9a-f-]{36}/, "id"))

describe("a transfer", () => {
  it.effect("is begun, sent in pieces, and forgotten", () =>
    Effect.gen(function* () {
      const server = yield* mountServer
      const plan = { ...plain, alias: AliasName.make("production"), description: "red, & dry" }
      const { exit, memory, positions, told } = yield* push(server, { plan, pieceBytes: 10 })
      const { state, description, ...made } = version(exit)
      assert.deepStrictEqual([made.version, state, description], [1, "ready", "red, & dry"])
      assert.deepStrictEqual(asked(server).slice(0, 3), ["POST ", "PATCH id", "PATCH id"])
      assert.lengthOf(server.lines, 1 + Math.ceil(content.length / 10))
      assert.deepStrictEqual(positions.slice(0, 3), [0, 10, 20])
      assert.deepStrictEqual([yield* memory.recall, told], [Option.none(), []])
      const { json } = yield* server.call("/v1/models/wine/aliases/production")
      assert.deepInclude(json, { version: 1 })
    }),
  )

  it.effect("goes on where the server is, whatever is lost", () =>
    Effect.gen(function* () {
      const server = yield* mountServer
      server.faults.push(
        answerLost, // of the creation, which is repeated
        passing,
        cutAfter(7), // of the first piece
        unreachable, // while the server is restarted
        passing,
        answerLost, // of all that was left
      )
      const { exit, told, advances } = yield* push(server)
      assert.strictEqual(version(exit).version, 1)
      assert.deepStrictEqual(asked(server), [
        ...["POST ", "POST ", "PATCH id", "GET id", "GET id", "PATCH id", "GET id", "PATCH id"],
      ])
      assert.lengthOf(told, 4)
      assert.strictEqual(advances, 3)
    }),
  )

  it.effect("goes on with what another command began", () =>
    Effect.gen(function* () {
      const server = yield* mountServer
      const memory = remembering()
      server.faults.push(passing, cutAfter(9))
      const first = makeTransfer({
        file: fileOf(content),
        plan: plain,
        ask: makeAsk("http://localhost"),
        memory,
        progress: silent,
        progressed: () => {},
      })
      yield* Effect.flip(Effect.provide(first, server.layer))
      assert.isTrue(yield* memory.isKept)
      server.lines.length = 0
      const { exit, positions } = yield* push(server, { memory })
      assert.strictEqual(version(exit).version, 1)
      assert.deepStrictEqual(asked(server), ["GET id", "PATCH id"])
      assert.strictEqual(positions[0], 9)
      assert.isFalse(yield* memory.isKept)
    }),
  )

  it.effect("begins anew when the server has forgotten it", () =>
    Effect.gen(function* () {
      const server = yield* mountServer
      const memory = remembering()
      yield* memory.remember(UploadId.make("0b0ff7a4-34ab-4a8e-8a4a-6c0f8c8d6b1e"))
      const { exit, told } = yield* push(server, { memory })
      assert.strictEqual(version(exit).version, 1)
      assert.deepStrictEqual(asked(server), ["GET id", "POST ", "PATCH id"])
      assert.match(told.join(), /^The server has forgotten the upload that was begun/)
    }),
  )

  it.effect("gives up where another server answers each time", () =>
    Effect.gen(function* () {
      const server = yield* mountServer
      const problem = JSON.stringify({ type: "urn:modelforge:problem:upload-not-found", title: "Not found" })
      for (let time = 0; time < 3; time++) server.faults.push(passing, answering(404, problem))
      const { exit } = yield* push(server)
      assert.match(failure(exit).message, /several servers answer at one address/)
    }),
  )

  it.effect("waits for a server that is full, as long as it says", () =>
    Effect.gen(function* () {
      const server = yield* mountServer
      const problem = JSON.stringify({
        type: "urn:modelforge:problem:overloaded",
        title: "Full",
        detail: "64 uploads",
      })
      server.faults.push(answering(503, problem, { "retry-after": "60" }), answering(502, "<html>"))
      const { exit, told, waited } = yield* push(server)
      assert.strictEqual(version(exit).version, 1)
      assert.deepStrictEqual(told, [
        "64 uploads",
        "http://localhost answered 502, which is not what a ModelForge server answers",
      ])
      assert.deepStrictEqual(waited, [60_000, undefined])
    }),
  )

  it.effect("ends with the server's reason when the file is refused, and is forgotten", () =>
    Effect.gen(function* () {
      const server = yield* mountServer
      const { exit, memory } = yield* push(server, { file: fileOf("no model") })
      assert.deepInclude(failure(exit), { detail: "The file is not an ONNX model" })
      assert.isUndefined(failure(exit).exitCode)
      assert.isFalse(yield* memory.isKept)
    }),
  )

  it.effect("is told why a file was refused also when that answer was lost", () =>
    Effect.gen(function* () {
      const server = yield* mountServer
      server.faults.push(passing, answerLost)
      const { exit } = yield* push(server, { file: fileOf("no model") })
      assert.strictEqual(failure(exit).detail, "The file is not an ONNX model")
    }),
  )

  it.effect("says which version has the bytes, before they are sent", () =>
    Effect.gen(function* () {
      const server = yield* mountServer
      yield* server.call("/v1/models/wine/versions?create=true", upload(content))
      const { exit } = yield* push(server)
      assert.deepInclude(failure(exit), {
        detail: 'These bytes are version 1 of model "wine" already',
        exitCode: 3,
      })
      assert.deepStrictEqual(asked(server), ["POST "])
    }),
  )

  it.effect("does not move an alias whose callers may fail, unless forced", () =>
    Effect.gen(function* () {
      const server = yield* mountServer
      yield* server.call("/v1/models/wine/versions?create=true&alias=production", upload(onnx("text")))
      const plan = { ...plain, alias: AliasName.make("production") }
      assert.match(
        failure((yield* push(server, { plan })).exit).detail,
        /"production" .* callers may fail .* say --force$/,
      )
      const forced = yield* push(server, { plan: { ...plan, force: true } })
      assert.strictEqual(version(forced.exit).version, 2)
    }),
  )

  it.effect("stays when the key is refused, for one that is not", () =>
    Effect.gen(function* () {
      const server = yield* mountServer
      const problem = JSON.stringify({
        type: "urn:modelforge:problem:unauthorized",
        title: "Who?",
        detail: "No key",
      })
      server.faults.push(passing, answering(401, problem))
      const { exit, memory } = yield* push(server)
      assert.strictEqual(failure(exit).detail, "No key")
      assert.isTrue(yield* memory.isKept)
    }),
  )

  it.effect("fails with what the file fails with", () =>
    Effect.gen(function* () {
      const server = yield* mountServer
      const changed = new CommandFailed({ detail: "It was changed" })
      const file = { ...fileOf(content), bytes: () => Stream.fail(changed) }
      assert.strictEqual(failure((yield* push(server, { file })).exit).detail, "It was changed")
    }),
  )

  it.effect("does not take the version of other bytes, nor what is no answer of ModelForge", () =>
    Effect.gen(function* () {
      const server = yield* mountServer
      const other = yield* server.call("/v1/models/other/versions?create=true", upload(onnx("text")))
      server.faults.push(passing, answering(201, other.text))
      assert.match(failure((yield* push(server)).exit).detail, /other bytes than the file/)
      server.faults.push(answering(200, "hello"))
      assert.match(failure((yield* push(server)).exit).detail, /answer can't be read/)
      server.faults.push(answering(404, "<html>"))
      assert.match(failure((yield* push(server)).exit).detail, /answered 404, which is not what/)
    }),
  )

  it.effect("does not go on for a server that keeps nothing", () =>
    Effect.gen(function* () {
      const server = yield* mountServer
      const nothing = answering(204, "", { "upload-offset": "0" })
      for (let time = 0; time < 100; time++) server.faults.push(passing, nothing)
      const { told, advances } = yield* push(server)
      assert.deepStrictEqual(new Set(told), new Set(["The server kept nothing of what was sent"]))
      assert.strictEqual(advances, 1)
    }),
  )
})
