import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type Answer, json, type Mount, mountWeb, withModel } from "../Mount.ts"
import { body, isProblem } from "./problems.ts"

const cursorOf = (answer: Answer): string => {
  const { nextCursor } = body(answer)
  assert.isString(nextCursor, answer.text)
  return String(nextCursor)
}

const split = (weight: number) => ({
  split: [
    { version: 1, weight },
    { version: 2, weight: 100 - weight },
  ],
})

/** Two models, with two of everything that is listed. */
const mountLists = Effect.gen(function* () {
  const mount = yield* mountWeb()
  for (const name of ["digits", "wine"]) {
    yield* withModel(mount, name, ["floats", "floats", "floats"])
    for (const version of [1, 2, 1])
      for (const alias of ["production", "canary"])
        yield* mount.call(`/v1/models/${name}/aliases/${alias}`, json({ version }, "PUT"))
    for (const weight of [10, 20, 30])
      yield* mount.call(`/v1/models/${name}/traffic`, json(split(weight), "PUT"))
  }
  return mount
})

const listsOf = (model: string) => [
  `/v1/models/${model}/versions`,
  `/v1/models/${model}/aliases/production/history`,
  `/v1/models/${model}/aliases/canary/history`,
  `/v1/models/${model}/traffic/history`,
]
const lists = ["/v1/models", ...listsOf("digits"), ...listsOf("wine")]

const page = ({ call }: Mount, list: string, query: string) => call(`${list}?limit=1${query}`)

describe("cursors", () => {
  it.effect("are good for the list that gave them, and for no other", () =>
    Effect.gen(function* () {
      const mount = yield* mountLists
      for (const from of lists) {
        const cursor = cursorOf(yield* page(mount, from, ""))
        for (const to of lists) {
          const answer = yield* page(mount, to, `&cursor=${cursor}`)
          if (to === from) assert.strictEqual(answer.status, 200, `${from} ${answer.text}`)
          else isProblem(answer, 400, "bad-request", { detail: /not one that this list gave/ })
        }
      }
    }),
  )

  it.effect("can't be made or changed by others", () =>
    Effect.gen(function* () {
      const mount = yield* mountLists
      const list = "/v1/models/digits/versions"
      const cursor = cursorOf(yield* page(mount, list, ""))
      const bytes = Buffer.from(cursor, "base64url")
      const changed = Array.from({ length: bytes.length }, (_, index) => {
        const copy = Buffer.from(bytes)
        copy[index] = (copy[index] ?? 0) ^ 1
        return copy.toString("base64url")
      })
      const forged = [Buffer.from("2").toString("base64url"), "", "2", "***", "A".repeat(4000), `${cursor}AA`]
      for (const other of [...changed, ...forged])
        isProblem(yield* page(mount, list, `&cursor=${other}`), 400, "bad-request")
    }),
  )

  it.effect("go on where they ended, whatever is added or deleted meanwhile", () =>
    Effect.gen(function* () {
      const mount = yield* mountWeb()
      for (const name of ["b", "d", "f", "h"]) yield* mount.call("/v1/models", json({ name }))
      const first = yield* mount.call("/v1/models?limit=2")
      const cursor = cursorOf(first)
      for (const name of ["a", "c", "e"]) yield* mount.call("/v1/models", json({ name }))
      for (const name of ["d", "f"]) yield* mount.call(`/v1/models/${name}`, { method: "DELETE" })
      const second = yield* mount.call(`/v1/models?limit=2&cursor=${cursor}`)
      const names = (answer: Answer) =>
        (body(answer)["items"] as ReadonlyArray<{ name: string }>).map(({ name }) => name)
      assert.deepStrictEqual(
        [names(first), names(second)],
        [
          ["b", "d"],
          ["e", "h"],
        ],
      )
      assert.isNull(body(second)["nextCursor"])
    }),
  )

  it.effect("and limits that can't be are refused on every list", () =>
    Effect.gen(function* () {
      const mount = yield* mountLists
      for (const list of lists) {
        for (const limit of ["0", "201", "-1", "1.5", "many", ""])
          isProblem(yield* mount.call(`${list}?limit=${limit}`), 400, "bad-request", {
            detail: /^query\.limit/,
          })
        assert.strictEqual((yield* mount.call(`${list}?limit=200`)).status, 200)
      }
    }),
  )
})
