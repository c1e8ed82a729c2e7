import { existsSync } from "node:fs"
import { createServer } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { eventually, nothingRunsIn, temporaryFolder } from "../../../postgres/test/embedded/harness.ts"
import { type Command, sharedServer, startCommand } from "./command.ts"
import { get } from "./http.ts"

interface Refusal {
  readonly args?: ReadonlyArray<string>
  readonly environment?: Readonly<Record<string, string>>
  readonly says: RegExp
}

const secret = "s3cret-word"

const SECRET_KEY = "a secret of tests, long enough to be one"

const refusals: Readonly<Record<string, Refusal>> = {
  "a port out of range": {
    args: ["--port", "99999"],
    says: /^--port: 99999 is out of range: use 0 to 65535$/,
  },
  "a port that is no number": { args: ["--port", "http"], says: /--port.*"http".*serve --help/ },
  "a variable that is no number": {
    environment: { MODELFORGE_PORT: "http", PORT: "80" },
    says: /^MODELFORGE_PORT: /,
  },
  "the other variable that is no number": {
    environment: { PORT: "8.5" },
    says: /^PORT: Expected an integer/,
  },
  "an unknown flag": { args: ["--exampels"], says: /--exampels.*--examples/ },
  production: {
    environment: { ENVIRONMENT: "production" },
    says: /^There is no key yet, .* not in production\. Make one with "modelforge keys create --name admin --scope admin"/,
  },
  "an address that others reach": {
    args: ["--host", "0.0.0.0"],
    says: /^There is no key yet, .* or set MODELFORGE_ADMIN_KEY to 32 random characters/,
  },
  "a key of the operator's that can be guessed": {
    environment: { MODELFORGE_ADMIN_KEY: "short" },
    says: /^The operator's key cannot be used/,
  },
  "a public key of the dashboard that is none": {
    environment: { MODELFORGE_DASHBOARD_PUBLIC_KEY: "x" },
    says: /^The public key of the dashboard cannot be used/,
  },
  "artifacts on S3 in no region": {
    args: ["--artifacts", "s3://bucket/models"],
    says: /^The artifact storage can't be used: S3 needs a region: set AWS_REGION/,
  },
  "a database that is not there": {
    environment: { DATABASE_URL: `postgres://forge:${secret}@127.0.0.1:1/models`, SECRET_KEY },
    says: /^Could not connect to PostgreSQL at 127\.0\.0\.1:1 as user "forge": the connection was refused/,
  },
  "a database of yours without a secret": {
    environment: { DATABASE_URL: "postgres://forge@127.0.0.1:1/models" },
    says: /^SECRET_KEY: a server with a database of yours needs a secret/,
  },
  "a data folder below a file": {
    args: ["--data-dir", "/etc/hostname/data"],
    says: /^The data folder \/etc\/hostname\/data\/postgres cannot be used/,
  },
}

/** The only line, without the command's name. */
const complaint = (stderr: string) => {
  assert.match(stderr, /^modelforge: [^\n]*\n$/)
  return stderr.slice("modelforge: ".length, -1)
}

const assertRefused = Effect.fnUntraced(function* (
  what: string,
  { args = [], environment = {}, says }: Refusal,
) {
  const command = yield* startCommand({ args, environment })
  assert.strictEqual(yield* command.exit, 1, what)
  assert.match(complaint(command.stderr()), says)
  assert.notInclude(command.stderr(), secret)
  assert.strictEqual(command.stdout(), "")
  yield* nothingRunsIn(command.folder)
}, Effect.scoped)

/** Accepts connections and never says a word. */
const silentPort = Effect.acquireRelease(
  Effect.callback<{ readonly port: number; readonly close: () => void }>((resume) => {
    const server = createServer()
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      const port = address !== null && typeof address === "object" ? address.port : 0
      resume(Effect.succeed({ port, close: () => server.close() }))
    })
  }),
  ({ close }) => Effect.sync(close),
)

it.live("what can't be used is refused in one line, with what to do", () =>
  Effect.gen(function* () {
    const { port } = yield* silentPort
    const all: Readonly<Record<string, Refusal>> = {
      "a database that never answers": {
        environment: { DATABASE_URL: `postgres://forge:${secret}@127.0.0.1:${port}/models`, SECRET_KEY },
        says: /^Could not connect to PostgreSQL at 127\.0\.0\.1:\d+ as user "forge"/,
      },
      ...refusals,
    }
    yield* Effect.forEach(Object.entries(all), ([what, refusal]) => assertRefused(what, refusal), {
      concurrency: 3,
      discard: true,
    })
  }),
)

describe("beside a running server", () => {
  const server = sharedServer({})

  it.live("standard output has the ready line only", () =>
    Effect.gen(function* () {
      const { stdout, url } = yield* server
      assert.strictEqual(stdout(), `ready ${url}\n`)
    }),
  )

  it.live("its port is refused to others, by the name of the flag", () =>
    Effect.gen(function* () {
      const { target, url } = yield* server
      const port = "port" in target ? String(target.port) : ""
      const command = yield* startCommand({ args: ["--port", port] })
      assert.strictEqual(yield* command.exit, 1)
      assert.strictEqual(
        complaint(command.stderr()),
        `The server can't listen on 127.0.0.1:${port}: another program listens there: stop it, or choose another port with --port`,
      )
      assert.strictEqual(command.stdout(), "")
      yield* nothingRunsIn(command.folder)
      assert.strictEqual((yield* get(target, "/readyz")).status, 200, url)
    }),
  )

  it.live("its data folder is refused to others, who are told by whom it is open", () =>
    Effect.gen(function* () {
      const { folder, pid, target } = yield* server
      const own = yield* temporaryFolder
      const dataDirectory = `${folder}/.modelforge`
      const command = yield* startCommand({ folder: own, args: ["--port", "0", "--data-dir", dataDirectory] })
      assert.strictEqual(yield* command.exit, 1)
      assert.match(
        complaint(command.stderr()),
        new RegExp(
          `^The data folder ${dataDirectory}/postgres is already open by another ModelForge process \\(pid ${pid}\\): `,
        ),
      )
      assert.strictEqual(command.stdout(), "")
      assert.strictEqual((yield* get(target, "/readyz")).status, 200)
    }),
  )
})

const becomesReady = (command: Command, port: string) =>
  eventually("the server is ready", () => command.stdout() === `ready http://127.0.0.1:${port}\n`)

describe("where settings come from", () => {
  const free = Effect.map(Effect.scoped(silentPort), ({ port }) => String(port))

  it.live("flags win over the environment, and MODELFORGE_PORT over PORT", () =>
    Effect.gen(function* () {
      const [flag, variable, other] = [yield* free, yield* free, yield* free]
      const folder = yield* temporaryFolder
      const environment = { MODELFORGE_PORT: variable, PORT: other, MODELFORGE_DATA_DIR: `${folder}/named` }
      yield* Effect.scoped(
        Effect.gen(function* () {
          const byEnvironment = yield* startCommand({ folder, environment })
          yield* becomesReady(byEnvironment, variable)
          assert.strictEqual((yield* get({ port: Number(variable) }, "/healthz")).status, 200)
        }),
      )
      assert.isTrue(existsSync(`${folder}/named/postgres`))
      assert.isFalse(existsSync(`${folder}/.modelforge`))
      const byFlag = yield* startCommand({
        folder,
        environment,
        args: ["--port", flag, "--data-dir", "flagged"],
      })
      yield* becomesReady(byFlag, flag)
      assert.isTrue(existsSync(`${folder}/flagged/postgres`))
    }),
  )
})
