/** However a path is spelt: nothing is served with less than it asks for. */
import { assert, describe, it } from "@effect/vitest"
import { ForgeApi } from "@modelforge/api"
import { Effect } from "effect"
import { random } from "../../../core/test/random.ts"
import { Guard } from "../../src/guard/Guard.ts"
import { makeRouteTable } from "../../src/guard/RouteTable.ts"
import { endpoints } from "../endpoints.ts"
import { mountWeb, withModel } from "../Mount.ts"
import { keyHeaders } from "./callers.ts"

const runs = 200
const seed = 20_260_125

const { int, pick } = random(seed)
const maybe = (one: number) => int(one) === 0

const encoded = (character: string) => {
  const hex = character.charCodeAt(0).toString(16).padStart(2, "0")
  return `%${maybe(2) ? hex : hex.toUpperCase()}`
}

/** The same path, or nearly, as a client that looks for a way around would write it. */
const spelling = (path: string): string => {
  let written = ""
  for (const character of path) {
    if (character === "/") {
      written += pick(["/", "/", "/", "/", "/", "//", "/./", "/../", "%2f", "%2F", "/;/", "\\", "/%2e/"])
    } else if (maybe(8)) written += encoded(character)
    else if (maybe(20)) written += encoded("%") + encoded(character).slice(1)
    else written += maybe(6) ? character.toUpperCase() : character
  }
  written = `/${written.replace(/^[^a-zA-Z%]*/, "")}`
  return (
    written +
    pick([
      "",
      "",
      "",
      "/",
      "//",
      "?",
      "?a=/healthz",
      ";a=b",
      "#a",
      "%00",
      "%20",
      "%",
      "/..",
      "?/v2/health/live",
    ])
  )
}

const table = makeRouteTable(ForgeApi, {})
const changes = endpoints.filter(
  ({ method, path }) => !["GET", "OPTIONS"].includes(method) && path !== "/v2/repository/index",
)

describe(`${runs} spellings of paths, from the seed ${seed}`, () => {
  it.live("let nobody do what a key for another thing may not", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb({}, Guard.layer())
      const provide = Effect.provide(mount.context)
      const everything = yield* provide(keyHeaders(["predict", "jobs", "read", "write", "admin"]))
      yield* withModel(
        {
          call: (path, init) => mount.call(path, { ...init, headers: { ...init?.headers, ...everything } }),
        },
        "digits",
      )
      const jobs = yield* provide(keyHeaders(["jobs"]))
      const wine = yield* provide(keyHeaders(["predict", "jobs", "read", "write"], ["wine"]))
      const statuses = new Map<number, number>()
      for (let run = 0; run < runs; run++) {
        const { method, path } = pick(changes)
        const target = spelling(path)
        const body = method === "DELETE" ? {} : { body: "{}" }
        const init = { method, ...body }
        const say = `${method} ${target}`
        const permission = table.find(method, new URL(target, "http://localhost").pathname)?.permission
        const nobody = yield* mount.call(target, init)
        // Health answers GET only, and people sign in without a key.
        if (permission !== "login") assert.strictEqual(nobody.status, 401, say)
        const asJobs = yield* mount.call(target, { ...init, headers: jobs })
        assert.include([403, 404, 405], asJobs.status, say)
        const asWine = yield* mount.call(target, { ...init, headers: wine })
        // The model of the path is digits, or something that is no model.
        assert.include([400, 403, 404, 405, 413, 415, 422], asWine.status, say)
        statuses.set(asJobs.status, (statuses.get(asJobs.status) ?? 0) + 1)
      }
      // The generator is worth something only while the router takes many of its spellings for routes.
      assert.isAbove(statuses.get(403) ?? 0, runs / 10, JSON.stringify([...statuses]))
      const model = yield* mount.call("/v1/models/digits/versions/1", { headers: everything })
      assert.strictEqual(model.status, 200, "nobody has deleted it")
    }),
  )
})
