import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { dashboardPublicKey, tokenFor } from "../../../http/test/guard/dashboard.ts"
import { open, temporaryFolder } from "../../../postgres/test/embedded/harness.ts"
import {
  type Finished,
  type RunningServer,
  runCommand,
  sharedServer,
  startCommand,
  startServer,
} from "./command.ts"
import { get, send, type Target } from "./http.ts"
import { startRelay } from "./relay.ts"

const bearer = (text: string) => ({ authorization: `Bearer ${text}` })
const statusOf = (target: Target, path: string, headers: Readonly<Record<string, string>> = {}) =>
  Effect.map(send(target, "GET", path, { headers }), ({ status }) => status)

const succeeded = ({ code, stdout, stderr }: Finished) => {
  assert.strictEqual(code, 0, stderr)
  return stdout
}

const objects = (text: string): ReadonlyArray<Record<string, unknown>> => {
  const value: unknown = JSON.parse(text)
  return Array.isArray(value) ? value : [{ ...(value as object) }]
}

const password = "seven lakes under an early moon"
const adminKey = "an-operator's-own-key-of-forty-characters"

const server = sharedServer({ environment: { MODELFORGE_DASHBOARD_PUBLIC_KEY: dashboardPublicKey } })

/** Runs a command in the folder of the server, whose socket it finds there. */
const run = (args: ReadonlyArray<string>, input = "") =>
  Effect.flatMap(server, ({ folder }) => runCommand(folder, args, { input }))

/** A key of these options, made by command. */
const makeKey = (...options: ReadonlyArray<string>) =>
  Effect.map(run(["keys", "create", "--name", "x", ...options, "--json"]), (finished) => {
    const [key = {}] = objects(succeeded(finished))
    return { ...key, id: String(key["id"]), secret: String(key["secret"]) }
  })

describe("the commands of keys", () => {
  it.live("work in the data folder itself where no server runs", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const made = yield* runCommand(folder, ["keys", "create", "--name", "first", "--scope", "read"])
      const secret = succeeded(made)
      assert.match(secret, /^mf_[a-z0-9]{12}_\S+\n$/, "the secret alone, for a pipe")
      assert.match(made.stderr, /Key [a-z0-9]{12}\. Keep what follows: it is shown this once\./)
      const listed = succeeded(yield* runCommand(folder, ["keys", "list"]))
      assert.match(listed, /^ID .*LAST USED\n[a-z0-9]{12} {2}first +read +all +valid +- +-\n$/)
    }),
  )

  it.live("ask the server that has the folder, by its socket", () =>
    Effect.gen(function* () {
      const { target } = yield* server
      const key = yield* makeKey("--scope", "read")
      assert.strictEqual(yield* statusOf(target, "/v1/models"), 401)
      assert.strictEqual(yield* statusOf(target, "/v1/models", bearer(key.secret)), 200)
      const rotated = succeeded(yield* run(["keys", "rotate", key.id, "--overlap", "1h"])).trim()
      for (const text of [key.secret, rotated])
        assert.strictEqual(yield* statusOf(target, "/v1/models", bearer(text)), 200)
      succeeded(yield* run(["keys", "revoke", key.id]))
      assert.strictEqual(yield* statusOf(target, "/v1/models", bearer(rotated)), 401)
      assert.include(succeeded(yield* run(["keys", "list"])), "revoked")
    }),
  )

  it.live("ask the server at a URL, with a key", () =>
    Effect.gen(function* () {
      const { url, folder } = yield* server
      const admin = yield* makeKey("--scope", "admin")
      const args = ["keys", "create", "--name", "ci", "--scope", "predict", "--model", "wine", "--url", url]
      const limits = ["--expires-in", "30d", "--rate", "100/60", "--json"]
      const environment = { MODELFORGE_API_KEY: admin.secret }
      const [created] = objects(succeeded(yield* runCommand(folder, [...args, ...limits], { environment })))
      assert.deepInclude(created, {
        name: "ci",
        scopes: ["predict"],
        models: ["wine"],
        rateLimit: { requests: 100, seconds: 60 },
        createdBy: `key:${admin.id}`,
      })
      const days = (Date.parse(String(created?.["expiresAt"])) - Date.now()) / 86_400_000
      assert.closeTo(days, 30, 0.1)
      const nobody = yield* runCommand(folder, ["keys", "list", "--url", url])
      assert.strictEqual(nobody.code, 1)
      assert.match(nobody.stderr, /^modelforge: This server asks for a key/)
    }),
  )

  it.live("say in one line what is wrong", () =>
    Effect.gen(function* () {
      for (const [args, says] of [
        [["keys", "create", "--name", "x", "--scope", "fly"], /--scope: "fly"/],
        [
          ["keys", "create", "--name", "x", "--scope", "read", "--expires-in", "soon"],
          /"soon" is not a time/,
        ],
        [["keys", "create", "--name", "x", "--scope", "read", "--rate", "9"], /"9" is not requests\/seconds/],
        [["keys", "revoke", "x"], /"x" is not a key's id/],
        [["users", "add", "nobody"], /"nobody" is not an email address/],
        [["keys", "list", "--url", "localhost"], /--url: "localhost" is not a URL/],
        [["keys", "list", "--url", "http://127.0.0.1:1"], /No server answers at http:\/\/127\.0\.0\.1:1/],
      ] as const) {
        const { code, stdout, stderr } = yield* run(args)
        assert.deepStrictEqual([code, stdout], [1, ""], stderr)
        assert.match(stderr, says)
        assert.match(stderr, /^modelforge: [^\n]*\n$/)
      }
    }),
  )
})

describe("the commands of users", () => {
  const add = (email: string) => ["users", "add", email, "--role", "admin", "--name", "Ada"]

  it.live("take passwords from standard input, and never as a flag", () =>
    Effect.gen(function* () {
      const seen = yield* run([...add("ada@example.com"), "--password", password])
      assert.match(seen.stderr, /--password/)
      const unasked = yield* run(add("ada@example.com"))
      assert.match(unasked.stderr, /^modelforge: There is no terminal .* --password-stdin\n$/)
      const made = yield* run([...add("Ada@example.com"), "--password-stdin", "--json"], `${password}\n`)
      const [ada] = objects(succeeded(made))
      assert.deepInclude(ada, { email: "ada@example.com", name: "Ada", role: "admin", disabled: false })
      const { target } = yield* server
      const user = { id: String(ada?.["id"]), sessionEpoch: Number(ada?.["sessionEpoch"]) }
      assert.strictEqual(yield* statusOf(target, "/v1/users"), 401)
      assert.strictEqual(yield* statusOf(target, "/v1/users", bearer(tokenFor(user))), 200)
      const json = { email: "ada@example.com", password }
      assert.strictEqual((yield* send(target, "POST", "/v1/auth/login", { json })).status, 200)
      const last = yield* run(["users", "disable", "ada@example.com"])
      assert.match(last.stderr, /^modelforge: ada@example\.com is the last admin/)
    }),
  )

  it.live("disable, enable, list and remove them, and give them other passwords", () =>
    Effect.gen(function* () {
      const { target } = yield* server
      succeeded(yield* run([...add("bob@example.com"), "--password-stdin"], password))
      const login = (secret: string) =>
        Effect.map(
          send(target, "POST", "/v1/auth/login", { json: { email: "bob@example.com", password: secret } }),
          ({ status }) => status,
        )
      succeeded(yield* run(["users", "disable", "bob@example.com"]))
      assert.strictEqual(yield* login(password), 401)
      assert.match(succeeded(yield* run(["users", "list"])), /\nbob@example\.com +Ada +admin +disabled\n/)
      succeeded(yield* run(["users", "enable", "bob@example.com"]))
      succeeded(
        yield* run(["users", "password", "bob@example.com", "--password-stdin"], "a moon that nobody sees"),
      )
      assert.strictEqual(yield* login("a moon that nobody sees"), 200)
      succeeded(yield* run(["users", "remove", "bob@example.com"]))
      const gone = yield* run(["users", "remove", "bob@example.com"])
      assert.match(gone.stderr, /There is no user with the email address bob@example\.com/)
    }),
  )
})

describe("the command of the audit log", () => {
  it.live("says whether it is as it was written", () =>
    Effect.gen(function* () {
      assert.match(succeeded(yield* run(["audit", "verify"])), /^The audit log is intact: \d+ entries\n$/)
      const [verdict] = objects(succeeded(yield* run(["audit", "verify", "--json"])))
      assert.strictEqual(verdict?.["intact"], true)
    }),
  )
})

describe("a server that others reach", () => {
  it.live("starts once there is a key", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const host = ["--host", "0.0.0.0", "--data-dir", "data"]
      const refused = yield* startCommand({ folder, args: [...host, "--port", "0"] })
      assert.strictEqual(yield* refused.exit, 1)
      const [, advised = ""] = /Make one with "modelforge ([^"]+)"/.exec(refused.stderr()) ?? []
      assert.match(advised, /--data-dir data$/)
      const key = succeeded(yield* runCommand(folder, advised.split(" "))).trim()
      const server = yield* startServer({ folder, args: host })
      assert.strictEqual(yield* statusOf(server.target, "/v1/models"), 401)
      assert.strictEqual(yield* statusOf(server.target, "/v1/keys", bearer(key)), 200)
      assert.strictEqual(yield* statusOf(server.target, "/healthz"), 200)
    }),
  )

  it.live("or with a key of the operator's own, in production too", () =>
    Effect.gen(function* () {
      const environment = { MODELFORGE_ADMIN_KEY: adminKey, ENVIRONMENT: "production" }
      const server = yield* startServer({ environment })
      assert.strictEqual(yield* statusOf(server.target, "/v1/models"), 401)
      assert.strictEqual(yield* statusOf(server.target, "/v1/keys", bearer(adminKey)), 200)
      assert.strictEqual(yield* statusOf(server.target, "/v1/keys", bearer(`${adminKey}x`)), 401)
    }),
  )
})

describe("open mode", () => {
  const conditions = (server: RunningServer) => {
    const own = { host: new URL(server.url).host }
    return [
      ["a program of this machine", own, 200],
      ["its own page", { ...own, origin: `http://${own.host}`, "sec-fetch-site": "same-origin" }, 200],
      ["a person at the address bar", { ...own, "sec-fetch-site": "none" }, 200],
      ["another name for it", { host: "evil.example" }, 403],
      ["a page of nowhere", { ...own, origin: "null" }, 403],
      ["another site's page", { ...own, origin: "https://evil.example" }, 403],
      ["another server of this machine", { ...own, origin: "http://127.0.0.1:3000" }, 403],
      ["another site", { ...own, "sec-fetch-site": "cross-site" }, 403],
      ["a sibling site", { ...own, "sec-fetch-site": "same-site" }, 403],
      ["Forwarded", { ...own, forwarded: "for=127.0.0.1" }, 403],
      ["Via", { ...own, via: "1.1 proxy" }, 403],
      ["X-Forwarded-For", { ...own, "x-forwarded-for": "127.0.0.1" }, 403],
      ["X-Forwarded-Host", { ...own, "x-forwarded-host": "localhost" }, 403],
    ] as const
  }

  it.live("takes what comes from this machine, and from no page or proxy", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      for (const [what, headers, status] of conditions(server))
        for (const path of ["/v1/models", "/v2", "/healthz"])
          assert.strictEqual(yield* statusOf(server.target, path, headers), status, `${what}: ${path}`)
    }),
  )

  it.live("ends on every server of a database within a second, and does not come back", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const { socketPath } = yield* open({ dataDirectory: `${folder}/postgres`, settings: { fsync: "off" } })
      const relay = yield* startRelay(socketPath)
      const environment = {
        DATABASE_URL: `postgres://postgres:x@127.0.0.1:${relay.port}/postgres`,
        MODELFORGE_ARTIFACTS_URL: `file:${folder}/artifacts`,
        SECRET_KEY: "what the servers of a database share",
      }
      const start = startServer({ environment })
      const one = yield* start
      const two = yield* start
      for (const { target } of [one, two]) assert.strictEqual(yield* statusOf(target, "/v1/models"), 200)
      const made = yield* send(one.target, "POST", "/v1/keys", { json: { name: "first", scopes: ["admin"] } })
      assert.strictEqual(made.status, 201)
      assert.strictEqual(yield* statusOf(one.target, "/v1/models"), 401)
      yield* statusOf(two.target, "/v1/models").pipe(
        Effect.repeat({ until: (status) => status === 401 }),
        Effect.timeout("1 second"),
      )
      const { id, secret } = { ...(made.json as { id: string; secret: string }) }
      const removed = yield* send(two.target, "DELETE", `/v1/keys/${id}`, { headers: bearer(secret) })
      assert.strictEqual(removed.status, 204)
      const three = yield* start
      assert.strictEqual(yield* statusOf(three.target, "/v1/models"), 401)
      assert.strictEqual((yield* get(three.target, "/healthz")).status, 200)
    }),
  )
})
