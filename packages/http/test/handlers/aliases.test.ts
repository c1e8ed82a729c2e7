import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { type Answer, json, type Mount, mountWeb, onnx, upload, withModel } from "../Mount.ts"
import { body, isProblem } from "./problems.ts"

const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/
const alias = (version: unknown, reason?: unknown) => json({ version, reason }, "PUT")
const production = "/v1/models/digits/aliases/production"

/** Versions 1, 2, … of `digits`, and the alias `production` moved over some of them. */
const withMoves = Effect.fnUntraced(function* (versions: number, ...moves: ReadonlyArray<number>) {
  const mount = yield* mountWeb()
  yield* withModel(
    mount,
    "digits",
    Array.from({ length: versions }, () => "floats"),
  )
  for (const version of moves) assert.strictEqual((yield* mount.call(production, alias(version))).status, 200)
  return mount
})

const items = (answer: Answer): ReadonlyArray<Record<string, unknown>> => {
  const all = body(answer)["items"]
  return Array.isArray(all) ? all : []
}

/** The versions that the alias pointed at, newest first. */
const targets = ({ call }: Mount) =>
  Effect.map(call(`${production}/history`), (answer) => items(answer).map(({ version }) => version))

const rollback = ({ call }: Mount) => call(`${production}/rollback`, { method: "POST" })

describe("aliases", () => {
  it.effect("are set, moved and deleted", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      yield* withModel(mount, "digits", ["floats", "floats"])
      const aliases = Effect.map(mount.call("/v1/models/digits"), (found) => body(found)["aliases"])
      const set = yield* mount.call("/v1/models/digits/aliases/production", alias(1))
      assert.strictEqual(set.status, 200)
      const { updatedAt, ...rest } = body(set)
      assert.match(String(updatedAt), time)
      assert.deepStrictEqual(rest, { alias: "production", version: 1, updatedBy: null })
      assert.deepStrictEqual(yield* aliases, { production: 1 })
      yield* mount.call("/v1/models/digits/aliases/production", alias(2))
      yield* mount.call("/v1/models/digits/aliases/canary", alias(2))
      assert.deepStrictEqual(yield* aliases, { canary: 2, production: 2 })
      const removed = yield* mount.call("/v1/models/digits/aliases/canary", { method: "DELETE" })
      assert.strictEqual(removed.status, 204)
      assert.deepStrictEqual(yield* aliases, { production: 2 })
    }),
  )

  it.effect("route requests as soon as they are set", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      yield* withModel(mount, "digits", ["floats", "floats"])
      const predict = Effect.map(
        mount.call("/v1/models/digits/predict", json({ inputs: { x: [[1, 2]] } })),
        (answer) => body(answer)["version"],
      )
      assert.strictEqual(yield* predict, 2)
      yield* mount.call("/v1/models/digits/aliases/production", alias(1))
      assert.strictEqual(yield* predict, 1)
      yield* mount.call("/v1/models/digits/aliases/production", { method: "DELETE" })
      assert.strictEqual(yield* predict, 2)
    }),
  )

  it.effect("refuse unknown models, versions and aliases with 404", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      yield* withModel(mount, "digits")
      isProblem(yield* mount.call("/v1/models/nope/aliases/a", alias(1)), 404, "model-not-found")
      isProblem(yield* mount.call("/v1/models/NO/aliases/a", alias(1)), 404, "model-not-found")
      isProblem(yield* mount.call("/v1/models/digits/aliases/a", alias(9)), 404, "version-not-found", {
        model: "digits",
        version: "9",
      })
      const remove = { method: "DELETE" }
      isProblem(yield* mount.call("/v1/models/nope/aliases/a", remove), 404, "model-not-found")
      for (const name of ["a", "UPPER", "1"])
        isProblem(yield* mount.call(`/v1/models/digits/aliases/${name}`, remove), 404, "alias-not-found", {
          model: "digits",
          alias: name,
          detail: `Model "digits" has no alias "${name}"`,
        })
    }),
  )

  it.effect("refuse names that could be numbers, and versions that are none", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      yield* withModel(mount, "digits")
      for (const name of ["1", "UPPER", "-a", "a.b", "a".repeat(64)])
        isProblem(yield* mount.call(`/v1/models/digits/aliases/${name}`, alias(1)), 400, "bad-request", {
          detail: /^params\.alias: an alias is/,
        })
      for (const version of [0, -1, 1.5, "1", null, 2 ** 31])
        isProblem(yield* mount.call("/v1/models/digits/aliases/a", alias(version)), 422, "invalid-request", {
          detail: /^version: /,
        })
      isProblem(yield* mount.call("/v1/models/digits/aliases/a", json({}, "PUT")), 422, "invalid-request")
    }),
  )

  it.effect("point only at versions that are ready", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb({ validationPatience: Duration.zero })
      mount.forge.trial = Effect.never
      const made = yield* mount.call("/v1/models/digits/versions?create=true", upload(onnx()))
      assert.strictEqual(body(made)["state"], "validating")
      isProblem(yield* mount.call("/v1/models/digits/aliases/a", alias(1)), 409, "version-conflict", {
        model: "digits",
        version: 1,
        detail: /can only point at a version that is ready/,
      })
    }),
  )
})

describe("the history of an alias", () => {
  it.effect("tells who moved it when, from where to where and why, newest first", () =>
    Effect.gen(function* () {
      const mount = yield* withMoves(2, 1)
      yield* mount.call(production, alias(2, "it is better"))
      yield* mount.call(production, alias(2, "again, which changes nothing"))
      yield* mount.call(production, { method: "DELETE" })
      const answer = yield* mount.call(`${production}/history`)
      assert.strictEqual(answer.status, 200)
      const common = { alias: "production", updatedBy: null, restores: null }
      assert.deepStrictEqual(
        items(answer).map(({ updatedAt, ...move }) => {
          assert.match(String(updatedAt), time)
          return move
        }),
        [
          { ...common, move: 3, from: 2, version: null, reason: null },
          { ...common, move: 2, from: 1, version: 2, reason: "it is better" },
          { ...common, move: 1, from: null, version: 1, reason: null },
        ],
      )
      assert.isNull(body(answer)["nextCursor"])
    }),
  )

  it.effect("comes in pages, which more moves do not disturb", () =>
    Effect.gen(function* () {
      const { call } = yield* withMoves(2, 1, 2, 1, 2)
      const first = yield* call(`${production}/history?limit=3`)
      assert.deepStrictEqual(
        items(first).map(({ move }) => move),
        [4, 3, 2],
      )
      yield* call(production, alias(1))
      const second = yield* call(`${production}/history?limit=3&cursor=${body(first)["nextCursor"]}`)
      assert.deepStrictEqual(
        items(second).map(({ move }) => move),
        [1],
      )
      assert.isNull(body(second)["nextCursor"])
      for (const cursor of ["", "***", "QUJD", Buffer.from("0").toString("base64url")])
        isProblem(yield* call(`${production}/history?cursor=${cursor}`), 400, "bad-request")
    }),
  )

  it.effect("is there for every alias that ever was, and for no other", () =>
    Effect.gen(function* () {
      const mount = yield* withMoves(1, 1)
      for (const name of ["canary", "UPPER", "1"])
        isProblem(yield* mount.call(`/v1/models/digits/aliases/${name}/history`), 404, "alias-not-found")
      isProblem(yield* mount.call("/v1/models/nope/aliases/production/history"), 404, "model-not-found")
      yield* mount.call("/v1/models/digits", { method: "DELETE" })
      yield* withModel(mount, "digits")
      isProblem(yield* mount.call(`${production}/history`), 404, "alias-not-found")
    }),
  )

  it.effect("takes reasons of some length, and only text", () =>
    Effect.gen(function* () {
      const { call } = yield* withMoves(1)
      for (const reason of [1, null, "x".repeat(1025)])
        isProblem(yield* call(production, alias(1, reason)), 422, "invalid-request", { detail: /^reason: / })
      assert.strictEqual((yield* call(production, alias(1, "x".repeat(1024)))).status, 200)
    }),
  )
})

describe("a rollback", () => {
  it.effect("goes to the version before, with or without a body", () =>
    Effect.gen(function* () {
      const mount = yield* withMoves(3, 1, 2, 3)
      const back = yield* rollback(mount)
      assert.strictEqual(back.status, 200, back.text)
      assert.deepInclude(body(back), { alias: "production", version: 2, updatedBy: null })
      const further = yield* mount.call(`${production}/rollback`, json({ reason: "worse still" }))
      assert.deepInclude(body(further), { version: 1 })
      assert.deepStrictEqual(yield* targets(mount), [1, 2, 3, 2, 1])
      const [newest] = items(yield* mount.call(`${production}/history`))
      assert.deepInclude(newest, { move: 5, from: 2, version: 1, reason: "worse still", restores: 1 })
      const predicted = yield* mount.call("/v1/models/digits/predict", json({ inputs: { x: [[1, 2]] } }))
      assert.strictEqual(body(predicted)["version"], 1)
    }),
  )

  it.effect("is refused when there is nothing before, or no alias", () =>
    Effect.gen(function* () {
      const mount = yield* withMoves(2, 1)
      isProblem(yield* rollback(mount), 409, "alias-conflict", {
        model: "digits",
        alias: "production",
        detail: /none of the versions it pointed at before is ready any more/,
      })
      yield* mount.call(production, { method: "DELETE" })
      isProblem(yield* rollback(mount), 404, "alias-not-found")
      for (const [model, name, problem] of [
        ["digits", "canary", "alias-not-found"],
        ["digits", "UPPER", "alias-not-found"],
        ["nope", "production", "model-not-found"],
      ])
        isProblem(
          yield* mount.call(`/v1/models/${model}/aliases/${name}/rollback`, { method: "POST" }),
          404,
          problem ?? "",
        )
      isProblem(yield* mount.call(`${production}/rollback`, json({ reason: 1 })), 422, "invalid-request")
      isProblem(yield* mount.call(`${production}/rollback`, json([])), 422, "invalid-request")
    }),
  )

  it.effect("passes over versions that are archived or deleted", () =>
    Effect.gen(function* () {
      const mount = yield* withMoves(4, 1, 2, 3, 4)
      yield* mount.call("/v1/models/digits/versions/3", { method: "DELETE" })
      yield* mount.call("/v1/models/digits/versions/2/archive", { method: "POST" })
      assert.deepInclude(body(yield* rollback(mount)), { version: 1 })
      yield* mount.call(production, alias(4))
      yield* mount.call("/v1/models/digits/versions/1/archive", { method: "POST" })
      isProblem(yield* rollback(mount), 409, "alias-conflict")
      assert.deepInclude(body(yield* mount.call("/v1/models/digits")), { aliases: { production: 4 } })
    }),
  )
})

describe("a move that may break callers", () => {
  const differing = Effect.gen(function* () {
    const mount = yield* mountWeb()
    yield* withModel(mount, "digits", ["floats", "long"])
    yield* mount.call(production, alias(1))
    return mount
  })

  it.effect("is refused with the differences, unless forced; a rollback is not asked", () =>
    Effect.gen(function* () {
      const mount = yield* differing
      const refused = yield* mount.call(production, alias(2))
      isProblem(refused, 409, "incompatible-signature", {
        model: "digits",
        alias: "production",
        from: 1,
        to: 2,
        detail: /version 1, whose callers may fail with version 2: .*"x".*force=true/,
      })
      const { differences } = body(refused)
      assert.isArray(differences)
      assert.includeDeepMembers(Array.isArray(differences) ? differences : [], [
        {
          tensor: "input",
          name: "x",
          change: "datatype",
          breaking: true,
          from: { name: "x", datatype: "FP32", shape: ["batch", 2] },
          to: { name: "x", datatype: "INT64", shape: [-1] },
          detail: 'The datatype of the input "x" was FP32 and is INT64',
        },
      ])
      assert.deepStrictEqual(yield* targets(mount), [1])
      isProblem(yield* mount.call(`${production}?force=maybe`, alias(2)), 400, "bad-request")
      assert.strictEqual((yield* mount.call(`${production}?force=false`, alias(2))).status, 409)
      assert.strictEqual((yield* mount.call(`${production}?force=true`, alias(2))).status, 200)
      assert.deepInclude(body(yield* rollback(mount)), { version: 1 })
    }),
  )

  it.effect("is no business of a new alias, or of one that stays", () =>
    Effect.gen(function* () {
      const mount = yield* differing
      const canary = "/v1/models/digits/aliases/canary"
      assert.strictEqual((yield* mount.call(canary, alias(2))).status, 200)
      assert.strictEqual((yield* mount.call(production, alias(1))).status, 200)
    }),
  )

  it.effect("by an upload refuses the upload, and leaves nothing of it", () =>
    Effect.gen(function* () {
      const mount = yield* differing
      const post = (query: string) =>
        mount.call(`/v1/models/digits/versions?${query}`, upload(onnx("long", "another")))
      isProblem(yield* post("alias=production"), 409, "incompatible-signature", {
        from: 1,
        to: null,
        detail: /may fail with this file: /,
      })
      const { staging, stored } = yield* Effect.promise(() => mount.forge.files())
      assert.deepStrictEqual([staging.length, stored.length], [0, 2])
      assert.deepInclude(body(yield* mount.call("/v1/models/digits")), { latestVersion: 2 })
      assert.strictEqual((yield* post("alias=new")).status, 201)
      assert.deepInclude(body(yield* mount.call("/v1/models/digits")), {
        aliases: { production: 1, new: 3 },
      })
      const forced = yield* mount.call(
        "/v1/models/digits/versions?alias=production&force=true",
        upload(onnx("text", "forced")),
      )
      assert.strictEqual(forced.status, 201)
      assert.deepStrictEqual(yield* targets(mount), [4, 1])
    }),
  )
})
