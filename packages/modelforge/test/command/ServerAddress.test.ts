import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Option, Redacted } from "effect"
import { HttpClientError, HttpClientRequest } from "effect/http"
import { findServer, lostConnection, noAnswer } from "../../src/command/ServerAddress.ts"

const find = (url: string | undefined, env: Readonly<Record<string, string>> = {}) =>
  findServer({ url: Option.fromUndefinedOr(url), dataDir: "/nowhere" }).pipe(
    Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromUnknown(env)),
    Effect.provide(NodeServices.layer),
  )

describe("the server that a command asks", () => {
  it.effect("is the one of the URL, with the key of the environment", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(
        yield* find("https://models.example/api"),
        Option.some({ url: "https://models.example/api", key: undefined }),
      )
      const server = yield* find("http://localhost:8080", { MODELFORGE_API_KEY: "mf_secret" })
      const key = Option.getOrUndefined(server)?.key
      assert.strictEqual(key && Redacted.value(key), "mf_secret")
    }),
  )

  it.effect("is none where no server has the data folder", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* find(undefined), Option.none())
    }),
  )

  it.effect("is not told by what is no URL", () =>
    Effect.gen(function* () {
      for (const url of ["localhost", "localhost:8080", "file:///server", ""])
        assert.match((yield* Effect.flip(find(url))).message, /is not a URL like/)
    }),
  )
})

it("why nobody answers is said in Node's words", () => {
  const because = (cause: unknown) =>
    new HttpClientError.HttpClientError({
      reason: new HttpClientError.TransportError({ request: HttpClientRequest.get("/"), cause }),
    })
  // Of an address that both families were tried for, only the code says it.
  const both = Object.assign(new AggregateError([], ""), { code: "ECONNREFUSED" })
  for (const [cause, words] of [
    [new Error("self-signed certificate"), " (self-signed certificate)"],
    [both, " (ECONNREFUSED)"],
    [undefined, ""],
  ] as const) {
    assert.strictEqual(noAnswer("http://x", because(cause)), `No server answers at http://x${words}`)
    assert.strictEqual(lostConnection(because(cause)), `The connection was lost${words}`)
  }
})
