import { createHash } from "node:crypto"
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { exampleModels } from "@modelforge/example-models"
import { Deferred, Effect, Schedule, Schema } from "effect"
import { nothingRunsIn, temporaryFolder } from "../../../postgres/test/embedded/harness.ts"
import { runCommand, sharedFolder, sharedServer, startCommand, startServer } from "../command/command.ts"
import { get, predict, send, type Target } from "../command/http.ts"
import { largeModel, megabyte } from "../command/largeModel.ts"
import { openGate } from "./gate.ts"

const fileOf = (name: string) =>
  fileURLToPath(exampleModels.find((model) => model.name === name)?.file ?? new URL("file:///none"))
const wine = fileOf("wine")
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex")
const wineDigest = sha256(readFileSync(wine))

const mebibytes = 40
const large = Buffer.concat([...largeModel(mebibytes)])
/** What the gate lets through: more than one segment of the server, less than one request. */
const cutAt = 20 * megabyte.length
/** Heads of requests beside the file's bytes. */
const heads = 16 * 1024
/** What Node has taken off a connection and the server has not when it ends is lost: a pause's worth, and one read. */
const unread = 256 * 1024

const server = sharedServer({})
const dataDir = Effect.map(server, ({ folder }) => ["--data-dir", `${folder}/.modelforge`])

/** In a folder of its own, with the server's data folder where it is not told otherwise. */
const push = Effect.fnUntraced(function* (
  args: ReadonlyArray<string>,
  environment: Readonly<Record<string, string>> = {},
) {
  const where = args.includes("--url") || args.includes("--data-dir") ? [] : yield* dataDir
  const folder = yield* temporaryFolder
  return yield* runCommand(folder, ["push", ...args, ...where], { environment })
}, Effect.scoped)

const Session = Schema.Struct({ offset: Schema.Int })
const look = (target: Target, model: string, id: string) =>
  Effect.flatMap(get(target, `/v1/models/${model}/uploads/${id}`), ({ json }) =>
    Schema.decodeUnknownEffect(Session)(json),
  )

const until = <A, E>(asked: Effect.Effect<A, E>, holds: (answer: A) => boolean) =>
  asked.pipe(
    Effect.repeat({ until: holds, schedule: Schedule.spaced("10 millis") }),
    Effect.timeout("50 seconds"),
  )

const mode = (path: string) => statSync(path).mode & 0o777

/** A folder with the large file, and the state that the command keeps in it. */
const workplace = Effect.gen(function* () {
  const folder = yield* temporaryFolder
  const file = `${folder}/large.onnx`
  writeFileSync(file, large)
  const state = `${folder}/state/modelforge/uploads`
  return { folder, file, state, environment: { XDG_STATE_HOME: `${folder}/state` } }
})

/** The version has the bytes, and answers. */
const assertServed = Effect.fnUntraced(function* (target: Target, model: string) {
  const version = yield* get(target, `/v1/models/${model}/versions/1`)
  assert.deepInclude(version.json, { digest: sha256(large), state: "ready", size: large.length })
  assert.deepStrictEqual((yield* predict(target, model, {})).outputs, { y: [mebibytes * megabyte.length] })
})

describe("modelforge push", () => {
  it.live("makes a version by the socket of the data folder, and says what it is", () =>
    Effect.gen(function* () {
      const { target } = yield* server
      const aliases = ["--alias", "production", "--alias", "staging"]
      const words = ["--label", "team=cellar", "--description", "a wine"]
      const pushed = yield* push([wine, "--model", "wine", ...aliases, ...words])
      assert.deepStrictEqual(pushed, {
        code: 0,
        stdout: `wine version 1 (production, staging) sha256:${wineDigest}\n`,
        stderr: "",
      })
      assert.deepInclude((yield* get(target, "/v1/models/wine")).json, {
        aliases: { production: 1, staging: 1 },
        labels: { team: "cellar" },
      })
      assert.deepInclude((yield* get(target, "/v1/models/wine/versions/1")).json, { description: "a wine" })

      const again = yield* push([wine, "--model", "wine"])
      assert.deepStrictEqual(again, {
        code: 3,
        stdout: "",
        stderr: 'modelforge: These bytes are version 1 of model "wine" already\n',
      })
    }),
  )

  it.live("prints JSON, of a server at a URL", () =>
    Effect.gen(function* () {
      const { url } = yield* server
      const { code, stdout, stderr } = yield* push([
        ...[wine, "--model", "other", "--alias", "beta", "--label", "a=b", "--json"],
        ...["--url", `${url}/`],
      ])
      assert.deepStrictEqual([code, stderr], [0, ""])
      assert.deepInclude(JSON.parse(stdout), {
        model: "other",
        version: 1,
        state: "ready",
        digest: wineDigest,
        aliases: ["beta"],
      })
    }),
  )

  /** Every one of these commands fails, and says so in one line. */
  const assertFailing = Effect.fnUntraced(function* (
    cases: ReadonlyArray<readonly [args: ReadonlyArray<string>, says: RegExp]>,
  ) {
    for (const [args, says] of cases) {
      const { code, stdout, stderr } = yield* push(args)
      assert.deepStrictEqual([code, stdout], [1, ""], stderr)
      assert.match(stderr, says)
      // A connection that breaks before the refusal is read is worth a line of its own.
      assert.match(stderr, /^(?:modelforge: The connection was lost[^\n]*\n)?modelforge: [^\n]*\n$/)
    }
  })

  it.live("says what is wrong with a file", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const file = (name: string, bytes: string | Uint8Array) => {
        writeFileSync(`${folder}/${name}`, bytes)
        return `${folder}/${name}`
      }
      const model = ["--model", "wrong"]
      yield* assertFailing([
        [[`${folder}/no.onnx`, ...model], /There is no file \S+no\.onnx/],
        [[folder, ...model], /is a folder/],
        [[file("text.onnx", "no model"), ...model], /not an ONNX model/],
        [[file("zeros.onnx", Buffer.alloc(40 * megabyte.length)), ...model], /not an ONNX model/],
        [[fileOf("digits"), "--model", "wine", "--alias", "production"], /"production" of model "wine"/],
        // Further aliases are moved when the version is there.
        [
          [fileOf("digits"), "--model", "wine", "--alias", "fresh", "--alias", "production"],
          /callers may fail .*\. The file is version 2 of model "wine"; what else was asked for is not all done/,
        ],
      ])
    }).pipe(Effect.scoped),
  )

  it.live("says what is wrong with its flags", () =>
    assertFailing([
      [[wine, "--model", "Wrong"], /--model: "Wrong"/],
      [[wine, "--model", "wrong", "--alias", "7"], /--alias: "7"/],
      [[wine, "--model", "wrong", "--label", `a=${"x".repeat(257)}`], /--label: a value has more than 256/],
      [[wine, "--model", "wrong", "--description", "x".repeat(4097)], /--description: it has more than 4096/],
      [[wine, "--model", "wrong", "--url", "localhost"], /--url: "localhost" is not a URL/],
    ]),
  )

  it.live("says that no server answers", () =>
    Effect.gen(function* () {
      const model = ["--model", "wrong"]
      const folder = yield* temporaryFolder
      yield* assertFailing([
        [[wine, ...model, "--data-dir", folder], /No server has the data folder/],
        [[wine, ...model, "--url", "http://127.0.0.1:1"], /No server answers at http:\/\/127\.0\.0\.1:1 /],
      ])
    }).pipe(Effect.scoped),
  )

  for (const [signal, ending, says] of [
    ["SIGKILL", "SIGKILL", /^$/],
    ["SIGINT", 130, /^modelforge: Stopped\. .*run the same command again to go on\n$/],
  ] as const)
    it.live(`goes on where it was cut off by ${signal}`, () =>
      Effect.gen(function* () {
        const { target } = yield* server
        const { folder, file, state, environment } = yield* workplace
        const gate = yield* openGate(0)
        const port = "port" in target ? target.port : 0
        const model = signal.toLowerCase()
        const args = [file, "--model", model, "--url", `http://127.0.0.1:${gate.port}`]

        const held = yield* gate.set(port, cutAt)
        const cut = yield* startCommand({ folder, subcommand: "push", args, environment })
        yield* Deferred.await(held)
        yield* cut.signal(signal)
        assert.strictEqual(yield* cut.exit, ending)
        assert.match(cut.stderr(), says)
        assert.strictEqual(cut.stdout(), "")

        const [remembered = ""] = readdirSync(state)
        assert.deepStrictEqual([mode(state), mode(`${state}/${remembered}`)], [0o700, 0o600])
        const id = readFileSync(`${state}/${remembered}`, "utf8")
        const { offset } = yield* until(look(target, model, id), ({ offset }) => offset > cutAt - unread)

        yield* gate.set(port, Number.POSITIVE_INFINITY)
        const again = yield* runCommand(folder, ["push", ...args], { environment })
        assert.strictEqual(again.code, 0, again.stderr)
        assert.isAtLeast(gate.passed(), large.length - offset)
        assert.isBelow(gate.passed(), large.length - offset + heads)
        assert.deepStrictEqual(readdirSync(state), [])
        yield* assertServed(target, model)
      }).pipe(Effect.scoped),
    )
})

describe("modelforge push, while its server is killed and started again", () => {
  const folder = sharedFolder()
  const start = Effect.flatMap(folder, (folder) => startServer({ folder }))
  const ServerRecord = Schema.fromJsonString(Schema.Struct({ pid: Schema.Int, socketPath: Schema.String }))
  const socketOf = (data: string) =>
    Schema.decodeSync(ServerRecord)(readFileSync(`${data}/server.json`, "utf8")).socketPath

  it.live("waits for it, finds its new socket, and goes on with what it kept", () =>
    Effect.gen(function* () {
      const place = yield* workplace
      // The door of a data folder, behind gates.
      const lead = (socketPath: string) =>
        writeFileSync(`${place.folder}/server.json`, JSON.stringify({ pid: process.pid, socketPath }))
      const [first, second] = [`${place.folder}/first.sock`, `${place.folder}/second.sock`]
      const gates = { first: yield* openGate(first), second: yield* openGate(second) }
      lead(first)

      const killed = yield* start
      const held = yield* gates.first.set(socketOf(`${killed.folder}/.modelforge`), cutAt)
      const command = yield* startCommand({
        folder: place.folder,
        subcommand: "push",
        args: [place.file, "--model", "restarted", "--data-dir", place.folder],
        environment: place.environment,
      })
      yield* Deferred.await(held)
      const [remembered = ""] = readdirSync(place.state)
      const id = readFileSync(`${place.state}/${remembered}`, "utf8")
      // What is a whole segment is acknowledged.
      yield* until(look(killed.target, "restarted", id), ({ offset }) => offset > 0)
      yield* killed.signal("SIGKILL")
      yield* nothingRunsIn(killed.folder)

      const server = yield* start
      const { offset } = yield* look(server.target, "restarted", id)
      assert.isAbove(offset, 0)
      yield* gates.second.set(socketOf(`${server.folder}/.modelforge`), Number.POSITIVE_INFINITY)
      lead(second)
      assert.strictEqual(yield* command.exit, 0, command.stderr())
      assert.match(command.stderr(), /^modelforge: The connection was lost .*: trying again in 500ms\n/)
      assert.match(command.stdout(), /^restarted version 1 sha256:/)
      assert.isBelow(gates.second.passed(), large.length - offset + heads)
      yield* assertServed(server.target, "restarted")
    }).pipe(Effect.scoped),
  )
})

// The last of this server: with a key it is open no more.
it.live("asks with the key of the environment, and says when it is refused", () =>
  Effect.gen(function* () {
    const { url, folder, target } = yield* server
    const makeKey = (...scopes: ReadonlyArray<string>) =>
      Effect.map(
        runCommand(folder, [
          "keys",
          "create",
          "--name",
          "ci",
          ...scopes.flatMap((scope) => ["--scope", scope]),
        ]),
        ({ stdout }) => stdout.trim(),
      )
    const key = yield* makeKey("read", "write")
    const reader = yield* makeKey("read")
    const args = [fileOf("diabetes"), "--model", "keyed", "--url", url]
    for (const [environment, says] of [
      [{}, /asks for a key/],
      [{ MODELFORGE_API_KEY: `${key}x` }, /not valid/],
      [{ MODELFORGE_API_KEY: reader }, /"write"/],
    ] as const) {
      const { code, stdout, stderr } = yield* push(args, environment)
      assert.deepStrictEqual([code, stdout], [1, ""])
      assert.match(stderr, /^modelforge: [^\n]*\n$/)
      assert.match(stderr, says)
    }
    const pushed = yield* push(args, { MODELFORGE_API_KEY: key })
    assert.strictEqual(pushed.code, 0, pushed.stderr)
    const made = yield* send(target, "GET", "/v1/models/keyed/versions/1", {
      headers: { authorization: `Bearer ${reader}` },
    })
    assert.deepInclude(made.json, { createdBy: `key:${key.split("_")[1]}` })
  }),
)
