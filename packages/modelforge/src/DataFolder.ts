/**
 * The data folder's own door: a Unix socket with the whole HTTP API, for commands on this machine. Its path is
 * recorded in the folder; the socket itself lies elsewhere, because a socket's path must be short.
 */
import { connect } from "node:net"
import { Effect, FileSystem, Option, Path, Schema } from "effect"

/** What `server.json` in the data folder holds. */
const ServerRecord = Schema.fromJsonString(Schema.Struct({ pid: Schema.Int, socketPath: Schema.String }))
const recordName = "server.json"

/** Removes what a killed predecessor left. Called when the folder is ours, so a record is never of a live server. */
const removeStale = Effect.fnUntraced(function* (record: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const { socketPath } = yield* Effect.flatMap(
    fs.readFileString(record),
    Schema.decodeUnknownEffect(ServerRecord),
  )
  // Only a folder of the kind made below: the record is a file that anyone with the folder could have written.
  if (path.basename(path.dirname(socketPath)).startsWith(socketPrefix))
    yield* fs.remove(path.dirname(socketPath), { recursive: true, force: true })
})

/** Whether somebody listens there. */
const answers = (socketPath: string) =>
  Effect.callback<boolean>((resume) => {
    const socket = connect(socketPath)
    const done = (heard: boolean) => {
      socket.destroy()
      resume(Effect.succeed(heard))
    }
    socket.once("connect", () => done(true))
    socket.once("error", () => done(false))
    return Effect.sync(() => socket.destroy())
  })

/** The Unix socket of the server that has the folder; none when there is no server. */
export const findDoor = Effect.fn("findDoor")(function* (dataDirectory: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const record = yield* fs
    .readFileString(path.join(dataDirectory, recordName))
    .pipe(Effect.flatMap(Schema.decodeUnknownEffect(ServerRecord)), Effect.option)
  // A server that was killed leaves its record.
  return Option.isSome(record) && (yield* answers(record.value.socketPath))
    ? Option.some(record.value.socketPath)
    : Option.none()
})

const socketPrefix = "modelforge-api-"

/** A place for the socket, recorded in the folder for as long as the scope is open. */
export const openDoor = Effect.fn("openDoor")(function* (dataDirectory: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const record = path.join(dataDirectory, recordName)
  yield* Effect.ignore(removeStale(record))
  const socketPath = path.join(yield* fs.makeTempDirectoryScoped({ prefix: socketPrefix }), "api.sock")
  const json = yield* Schema.encodeEffect(ServerRecord)({ pid: process.pid, socketPath })
  yield* Effect.acquireRelease(fs.writeFileString(record, json, { mode: 0o600 }), () =>
    Effect.ignore(fs.remove(record, { force: true })),
  )
  return socketPath
})
