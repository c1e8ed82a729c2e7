import { existsSync, readdirSync, readFileSync, statSync } from "node:fs"
import { dirname } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { nothingRunsIn } from "../../../postgres/test/embedded/harness.ts"
import { type RunningServer, sharedFolder, startServer } from "./command.ts"
import { get, predict } from "./http.ts"

const folder = sharedFolder()
const start = Effect.flatMap(folder, (folder) => startServer({ folder, args: ["--examples"] }))

const ServerRecord = Schema.fromJsonString(Schema.Struct({ pid: Schema.Int, socketPath: Schema.String }))

const recordOf = ({ folder }: RunningServer) => `${folder}/.modelforge/server.json`
const readRecord = (server: RunningServer) =>
  Schema.decodeSync(ServerRecord)(readFileSync(recordOf(server), "utf8"))
const mode = (path: string) => statSync(path).mode & 0o777

const wine = { features: [Array.from({ length: 13 }, () => 1)] }

describe("the Unix socket of the data folder", () => {
  it.live("is recorded, private, and has the whole API", () =>
    Effect.gen(function* () {
      const server = yield* start
      const { pid, socketPath } = readRecord(server)
      assert.strictEqual(pid, server.pid)
      assert.strictEqual(mode(recordOf(server)), 0o600)
      assert.strictEqual(mode(socketPath), 0o600)
      assert.strictEqual(mode(dirname(socketPath)), 0o700)
      assert.isBelow(Buffer.byteLength(socketPath), 104, "macOS allows no more")
      assert.deepStrictEqual((yield* get({ socketPath }, "/healthz")).json, { ok: true })
      assert.strictEqual((yield* get({ socketPath }, "/v1/models")).status, 200)
      const viaSocket = yield* predict({ socketPath }, "wine", wine)
      const viaTcp = yield* predict(server.target, "wine", wine)
      assert.deepStrictEqual(viaSocket.outputs, viaTcp.outputs)

      yield* server.signal("SIGINT")
      assert.strictEqual(yield* server.exit, 0)
      assert.isFalse(existsSync(recordOf(server)))
      assert.isFalse(existsSync(dirname(socketPath)))
    }),
  )

  it.live("of a server that was killed is replaced by the next one", () =>
    Effect.gen(function* () {
      const killed = yield* start
      const stale = readRecord(killed).socketPath
      yield* killed.signal("SIGKILL")
      yield* nothingRunsIn(killed.folder)
      assert.isTrue(existsSync(stale))

      const server = yield* start
      const { pid, socketPath } = readRecord(server)
      assert.strictEqual(pid, server.pid)
      assert.notStrictEqual(socketPath, stale)
      assert.isFalse(existsSync(dirname(stale)))
      assert.strictEqual((yield* get({ socketPath }, "/readyz")).status, 200)
      const sockets = readdirSync(server.folder).filter((name) => name.startsWith("modelforge-api-"))
      assert.lengthOf(sockets, 1)
    }),
  )
})
