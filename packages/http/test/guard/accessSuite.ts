/**
 * The contract's table of scopes and roles, held against every route that is served. The table is written down here from
 * the contract and knows nothing of what the endpoints say of themselves.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { endpoints } from "../endpoints.ts"
import type { Answer, Call } from "../Mount.ts"

type Role = "viewer" | "operator" | "admin"
const roles: ReadonlyArray<Role> = ["viewer", "operator", "admin"]

interface Row {
  readonly routes: RegExp
  /** What a key needs; undefined: nobody needs one. */
  readonly scope: string | undefined
  /** What a user needs; undefined: nothing. */
  readonly role: Role | undefined
}

/** The first that matches holds. */
const table: ReadonlyArray<Row> = [
  { routes: /^\w+ \/(?:healthz|readyz|v2\/health\/(?:live|ready))$/, scope: undefined, role: undefined },
  { routes: /^POST \/v1\/auth\/login$/, scope: "admin", role: undefined },
  { routes: /^\w+ \/v1\/(?:keys|users|audit|settings)(?:\/.*)?$/, scope: "admin", role: "admin" },
  { routes: /^POST .*\/(?:infer|predict)$/, scope: "predict", role: "viewer" },
  { routes: /^\w+ \/v2\/repository\/models\/.*$/, scope: "write", role: "operator" },
  { routes: /^POST \/v2\/repository\/index$/, scope: "read", role: "viewer" },
  { routes: /^(?:GET|HEAD) \/(?:v1|v2|metrics|openapi\.json|docs)(?:\/.*)?$/, scope: "read", role: "viewer" },
  // What of the tus protocol is spoken: it changes nothing.
  { routes: /^OPTIONS \/v1\/models\/[^/]+\/uploads$/, scope: "read", role: "viewer" },
  { routes: /^(?:POST|PUT|PATCH|DELETE) \/v1\/models(?:\/.*)?$/, scope: "write", role: "operator" },
]

const rowOf = (route: string): Row =>
  table.find(({ routes }) => routes.test(route)) ?? assert.fail(`the contract has no row for ${route}`)

const routes = endpoints.flatMap(({ method, path }) =>
  method === "GET"
    ? [
        { method, path },
        { method: "HEAD", path },
      ]
    : [{ method, path }],
)

const scopes = ["predict", "jobs", "read", "write", "admin"]

type Headers = Readonly<Record<string, string>>
export interface AccessMount {
  readonly call: Call
  /** Headers of a key with these scopes, for these models or for all. */
  readonly key: (scopes: ReadonlyArray<string>, models?: ReadonlyArray<string>) => Effect.Effect<Headers>
  /** Headers of a user with this role; enabled or not. */
  readonly user: (role: Role, disabled?: boolean) => Effect.Effect<Headers>
}

/** 401 and 403 are the guard's; everything else is the route's own affair, reached or not. */
const verdict = ({ status }: Answer) => (status === 401 || status === 403 ? status : "admitted")

export const accessSuite = (host: string, open: Effect.Effect<AccessMount, never, Scope.Scope>) =>
  describe(`the table of scopes and roles on ${host}`, () => {
    const each = (
      who: string,
      headers: (mount: AccessMount) => Effect.Effect<Headers>,
      expected: (row: Row, path: string) => 401 | 403 | "admitted",
    ) =>
      it.live(`holds for ${who} on every route`, () =>
        Effect.gen(function* () {
          assert.isAbove(routes.length, 60)
          let mount = yield* open
          let sent = yield* headers(mount)
          for (const [index, { method, path }] of routes.entries()) {
            // A server answers one address only so many times what is wrong with its key.
            if (index % 80 === 79) {
              mount = yield* open
              sent = yield* headers(mount)
            }
            const route = `${method} ${path}`
            const answer = yield* mount.call(path, {
              method,
              headers: { ...sent, ...(method === "POST" ? { "content-type": "application/json" } : {}) },
              // Nothing that would be done: that is not what this is about.
              ...(["POST", "PUT", "PATCH"].includes(method) ? { body: "[" } : {}),
            })
            assert.strictEqual(verdict(answer), expected(rowOf(route), path), `${route}: ${answer.text}`)
            if (answer.status === 401)
              assert.match(answer.headers.get("www-authenticate") ?? "", /^Bearer /, route)
          }
        }),
      )

    each(
      "nobody",
      () => Effect.succeed({}),
      ({ role, scope }) => (role === undefined || scope === undefined ? "admitted" : 401),
    )
    each(
      "a key that does not exist",
      () => Effect.succeed({ authorization: `Bearer mf_abcdefghijkl_${"x".repeat(43)}` }),
      ({ scope }) => (scope === undefined ? "admitted" : 401),
    )
    for (const scope of scopes)
      each(
        `a key with the scope ${scope}`,
        ({ key }) => key([scope]),
        (row) => (row.scope === undefined || row.scope === scope ? "admitted" : 403),
      )
    each(
      "a key with all scopes, sent as x-api-key",
      ({ key }) =>
        Effect.map(key(scopes), ({ authorization = "" }) => ({
          "x-api-key": authorization.replace("Bearer ", ""),
        })),
      () => "admitted",
    )
    const limited = (model: string) => (row: Row, path: string) =>
      row.role === "admin" ? 403 : !path.includes("/digits") || model === "digits" ? "admitted" : 403
    each("a key for the model that is asked", ({ key }) => key(scopes, ["digits"]), limited("digits"))
    each("a key for another model", ({ key }) => key(scopes, ["wine", "iris"]), limited("wine"))
    for (const role of roles)
      each(
        `a user with the role ${role}`,
        ({ user }) => user(role),
        (row) =>
          row.role === undefined || roles.indexOf(role) >= roles.indexOf(row.role) ? "admitted" : 403,
      )
    each(
      "a user who was disabled",
      ({ user }) => user("admin", true),
      ({ scope }) => (scope === undefined ? "admitted" : 401),
    )

    it.live("is asked at paths and methods that nobody knows, too", () =>
      Effect.gen(function* () {
        const { call, key } = yield* open
        const headers = yield* key(["jobs"])
        for (const [method, path, known] of [
          ["GET", "/", 404],
          ["GET", "/nowhere", 404],
          ["GET", "/v1/nowhere", 404],
          ["POST", "/v2/nowhere", 404],
          ["PATCH", "/healthz", 405],
          ["PUT", "/v1/models", 405],
          ["GET", "/v1/models/digits/predict", 405],
          ["DELETE", "/v2/models/digits/infer", 405],
        ] as const) {
          assert.strictEqual((yield* call(path, { method })).status, 401, `${method} ${path}`)
          assert.strictEqual((yield* call(path, { method, headers })).status, known, `${method} ${path}`)
        }
      }),
    )
  })
