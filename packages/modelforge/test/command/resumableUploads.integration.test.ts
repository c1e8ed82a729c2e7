import { createHash } from "node:crypto"
import { readdirSync, statSync } from "node:fs"
import { basename } from "node:path"
import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Schedule, Schema } from "effect"
import { type DetailedError, Upload, type UploadOptions } from "tus-js-client"
import { type RunningServer, sharedFolder, startServer } from "./command.ts"
import { predict, send, type Target } from "./http.ts"
import { largeModel, megabyte } from "./largeModel.ts"

const folder = sharedFolder()
/** On the port it had before, so that a client finds it again. */
const start = (port = 0) => Effect.flatMap(folder, (folder) => startServer({ folder, port }))

const mebibytes = 40
const file = Buffer.concat([...largeModel(mebibytes)])
const digest = createHash("sha256").update(file).digest("hex")

const tus = { "tus-resumable": "1.0.0" }
const collection = (model: string) => `/v1/models/${model}/uploads`

const Session = Schema.Struct({
  offset: Schema.Int,
  state: Schema.String,
  version: Schema.NullOr(Schema.Int),
})

const look = (target: Target, path: string) =>
  Effect.flatMap(send(target, "GET", path), ({ json }) => Schema.decodeUnknownEffect(Session)(json))

const begin = Effect.fnUntraced(function* (target: Target, model: string) {
  const made = yield* send(target, "POST", `${collection(model)}?create=true&digest=${digest}`, {
    headers: { ...tus, "upload-length": file.length },
  })
  assert.strictEqual(made.status, 201, made.bytes.toString())
  return new URL(made.headers.location ?? "", `http://localhost${collection(model)}`).pathname
})

const patch = (target: Target, path: string, offset: number, body: AsyncIterable<Uint8Array>) =>
  send(target, "PATCH", path, {
    headers: { ...tus, "upload-offset": offset, "content-type": "application/offset+octet-stream" },
    body,
  })

/** Some of the file, and then nothing more on a connection that stays open. */
const some = async function* (bytes: number, cut: Promise<void>) {
  yield file.subarray(0, bytes)
  await cut
}

const until = <A, E>(asked: Effect.Effect<A, E>, holds: (answer: A) => boolean) =>
  asked.pipe(
    Effect.repeat({ until: holds, schedule: Schedule.spaced("10 millis") }),
    Effect.timeout("50 seconds"),
  )

/** The client of the tus project, until it has succeeded. */
const tusUpload = (options: UploadOptions, bytes = file) =>
  Effect.callback<Upload, Error | DetailedError>((resume) => {
    const upload = new Upload(bytes, {
      retryDelays: [],
      ...options,
      onSuccess: () => resume(Effect.succeed(upload)),
      onError: (error) => resume(Effect.fail(error)),
    })
    upload.start()
    return Effect.promise(() => upload.abort())
  })

const uploadsOf = ({ folder }: RunningServer) => readdirSync(`${folder}/.modelforge/uploads`)

/** Bytes that are on the disk and not acknowledged yet. */
const arriving = ({ folder }: RunningServer, path: string) => {
  const upload = `${folder}/.modelforge/uploads/${basename(path)}`
  const [unnamed] = readdirSync(upload).filter((name) => name.startsWith("."))
  return unnamed === undefined ? 0 : statSync(`${upload}/${unnamed}`).size
}

/** Its version has the bytes, and answers. */
const assertServed = Effect.fnUntraced(function* (target: Target, model: string, path: string) {
  assert.deepStrictEqual(yield* look(target, path), { offset: file.length, state: "finished", version: 1 })
  const version = yield* send(target, "GET", `/v1/models/${model}/versions/1`)
  assert.deepInclude(version.json, { digest, state: "ready", size: file.length })
  assert.deepStrictEqual((yield* predict(target, model, {})).outputs, { y: [mebibytes * megabyte.length] })
})

it.live("what was acknowledged outlives kill -9, and the client of the tus project goes on with it", () =>
  Effect.gen(function* () {
    const { path, port, kept } = yield* Effect.scoped(
      Effect.gen(function* () {
        const server = yield* start()
        const path = yield* begin(server.target, "killed")
        // Two segments, and a part of the third.
        const sent = some(37 * megabyte.length, new Promise(() => {}))
        yield* Effect.forkScoped(Effect.exit(patch(server.target, path, 0, sent)))
        const { offset } = yield* until(
          look(server.target, path),
          ({ offset }) => offset >= 32 * megabyte.length,
        )
        yield* server.signal("SIGKILL")
        yield* server.exit
        return { path, port: Number(new URL(server.url).port), kept: offset }
      }),
    )
    const server = yield* start(port)
    assert.strictEqual((yield* look(server.target, path)).offset, kept)
    yield* tusUpload({ uploadUrl: `${server.url}${path}`, chunkSize: 3 * megabyte.length })
    yield* assertServed(server.target, "killed", path)
  }),
)

it.live("the client of the tus project does not notice a restart", () =>
  Effect.gen(function* () {
    let acknowledged = 0
    const port = yield* Effect.scoped(Effect.map(start(), ({ url }) => Number(new URL(url).port)))
    const uploading = yield* Effect.forkScoped(
      tusUpload({
        endpoint: `http://127.0.0.1:${port}${collection("restarted")}?create=true&alias=production`,
        chunkSize: 4 * megabyte.length,
        // As long as a server may take to start on a busy machine.
        retryDelays: Array.from({ length: 300 }, () => 100),
        metadata: { filename: "model.onnx" },
        onChunkComplete: (_, sent) => {
          acknowledged = sent
        },
      }),
    )
    yield* Effect.scoped(
      Effect.gen(function* () {
        const server = yield* start(port)
        yield* until(
          Effect.sync(() => acknowledged),
          (sent) => sent >= 8 * megabyte.length,
        )
        yield* server.signal("SIGKILL")
        yield* server.exit
      }),
    )
    assert.isBelow(acknowledged, file.length)
    const server = yield* start(port)
    const { url } = yield* Fiber.join(uploading)
    yield* assertServed(server.target, "restarted", new URL(url ?? "").pathname)
  }).pipe(Effect.scoped),
)

it.live("a connection that breaks keeps what it brought, to the byte", () =>
  Effect.gen(function* () {
    const server = yield* start()
    const path = yield* begin(server.target, "broken")
    const sent = 3 * megabyte.length + 12_345
    const writer = yield* Effect.forkChild(patch(server.target, path, 0, some(sent, new Promise(() => {}))))
    // Nothing tells from outside that the last byte is there.
    yield* until(
      Effect.sync(() => arriving(server, path)),
      (bytes) => bytes === sent,
    )
    const refused = yield* patch(server.target, path, 0, some(0, Promise.resolve()))
    assert.strictEqual(refused.status, 423)
    assert.strictEqual(refused.headers["content-type"], "application/problem+json")
    yield* Fiber.interrupt(writer)
    yield* until(look(server.target, path), ({ offset }) => offset === sent)
    yield* tusUpload({ uploadUrl: `${server.url}${path}` })
    yield* assertServed(server.target, "broken", path)
  }).pipe(Effect.scoped),
)

it.live("the client of the tus project aborts, and the disk is free again", () =>
  Effect.gen(function* () {
    const server = yield* start()
    const before = uploadsOf(server)
    const aborted = Effect.callback<void, Error>((resume) => {
      const upload = new Upload(file, {
        endpoint: `${server.url}${collection("aborted")}?create=true`,
        chunkSize: megabyte.length,
        retryDelays: [0, 50, 100, 200],
        onChunkComplete: (_, sent) => {
          if (sent === 2 * megabyte.length)
            upload.abort(true).then(
              () => resume(Effect.void),
              (error: Error) => resume(Effect.fail(error)),
            )
        },
        onError: (error) => resume(Effect.fail(error)),
      })
      upload.start()
    })
    yield* aborted
    assert.deepStrictEqual(uploadsOf(server), before)
    assert.strictEqual((yield* send(server.target, "GET", "/v1/models/aborted")).status, 404)
  }).pipe(Effect.scoped),
)

it.live("the client of the tus project is told why a file is no model, by its first bytes", () =>
  Effect.gen(function* () {
    const server = yield* start()
    const zeros = Buffer.alloc(64 * megabyte.length)
    const error = yield* Effect.flip(
      tusUpload(
        { endpoint: `${server.url}${collection("zeros")}?create=true`, chunkSize: megabyte.length },
        zeros,
      ),
    )
    const response = "originalResponse" in error ? error.originalResponse : null
    assert.strictEqual(response?.getStatus(), 422)
    assert.match(response?.getBody() ?? "", /unusable-model/)
  }).pipe(Effect.scoped),
)
