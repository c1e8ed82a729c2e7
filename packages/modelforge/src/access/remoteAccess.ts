/** Keys, users and the audit log of a server that runs, through its HTTP API. */
import { ForgeApi, type IssuedKeyResource } from "@modelforge/api"
import { ApiKey, type KeyDraft, User } from "@modelforge/core"
import { Effect, Layer, Redacted } from "effect"
import { HttpClientError } from "effect/http"
import { HttpApiClient } from "effect/http-api"
import { CommandFailed } from "../command/CommandFailed.ts"
import { layerServerClient, noAnswer, type ServerAddress, strangeAnswer } from "../command/ServerAddress.ts"
import { AccessAdmin } from "./AccessAdmin.ts"

const wordsOf = (error: unknown, url: string): string => {
  if (HttpClientError.isHttpClientError(error))
    return error.response === undefined ? noAnswer(url, error) : strangeAnswer(url, error.response.status)
  return error instanceof Error ? error.message : String(error)
}

/** What is absent of a key is left out: the server has its own idea of it. */
const newKey = ({ name, scopes, ...rest }: KeyDraft) => ({ name, scopes, ...rest })

/** What is absent of a change stays as it is. */
const present = <A extends object>(change: A) =>
  Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined)) as {
    readonly [Name in keyof A]: Exclude<A[Name], undefined>
  }

const make = Effect.fnUntraced(function* ({ url }: ServerAddress) {
  const client = yield* HttpApiClient.make(ForgeApi)
  const failing = Effect.mapError((error: unknown) => new CommandFailed({ detail: wordsOf(error, url) }))

  /** All pages of a list. */
  const all = <Item, E>(
    page: (query: {
      limit: number
      cursor?: string
    }) => Effect.Effect<{ readonly items: ReadonlyArray<Item>; readonly nextCursor: string | null }, E>,
  ) =>
    Effect.gen(function* () {
      const found: Array<Item> = []
      let cursor: string | null = null
      do {
        const { items, nextCursor }: { items: ReadonlyArray<Item>; nextCursor: string | null } = yield* page(
          cursor === null ? { limit: 200 } : { limit: 200, cursor },
        )
        found.push(...items)
        cursor = nextCursor
      } while (cursor !== null)
      return found
    })

  const issued = ({ secret, ...key }: typeof IssuedKeyResource.Type) => ({
    key: new ApiKey(key),
    secret: Redacted.make(secret),
  })

  return AccessAdmin.of({
    createKey: (draft) => failing(Effect.map(client.keys.create({ payload: newKey(draft) }), issued)),
    listKeys: failing(
      Effect.map(
        all((query) => client.keys.list({ query })),
        (keys) => keys.map((key) => new ApiKey(key)),
      ),
    ),
    revokeKey: (key) => failing(client.keys.revoke({ params: { key } })),
    rotateKey: (key, overlapSeconds) =>
      failing(Effect.map(client.keys.rotate({ params: { key }, payload: { overlapSeconds } }), issued)),
    createUser: (payload) => failing(Effect.map(client.users.create({ payload }), (user) => new User(user))),
    listUsers: failing(
      Effect.map(
        all((query) => client.users.list({ query })),
        (users) => users.map((user) => new User(user)),
      ),
    ),
    updateUser: (user, change) =>
      failing(
        Effect.map(
          client.users.update({ params: { user }, payload: present(change) }),
          (changed) => new User(changed),
        ),
      ),
    removeUser: (user) => failing(client.users.remove({ params: { user } })),
    verifyAudit: failing(
      Effect.map(client.audit.verify(), ({ intact, entries, sequence, detail }) =>
        intact
          ? { _tag: "Intact" as const, entries: entries ?? 0 }
          : { _tag: "Broken" as const, sequence: sequence ?? 0, detail: detail ?? "" },
      ),
    ),
  })
})

export const layerRemoteAccess = (address: ServerAddress) =>
  Layer.effect(AccessAdmin, make(address)).pipe(Layer.provide(layerServerClient(address)))
