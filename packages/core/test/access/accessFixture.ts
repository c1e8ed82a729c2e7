/** Keys, users and tokens on stores in memory, at a cost that tests can pay. */
import { generateKeyPairSync, sign } from "node:crypto"
import { Layer, Redacted, Result } from "effect"
import { AccessStore } from "../../src/access/AccessStore.ts"
import { Authentication } from "../../src/access/Authentication.ts"
import { layerAccess } from "../../src/access/layerAccess.ts"
import { layerAccessStoreMemory } from "../../src/access/MemoryAccessStore.ts"
import { PasswordCost } from "../../src/access/PasswordHasher.ts"
import type { KeyDraft } from "../../src/model/ApiKey.ts"
import { Email } from "../../src/model/User.ts"

export const { publicKey, privateKey } = generateKeyPairSync("ed25519")
export const publicPem = publicKey.export({ type: "spki", format: "pem" }).toString()

const layerCost = Layer.succeed(PasswordCost, { logN: 4, r: 8, p: 1 })

/** How often each operation of the store was called. */
export type Calls = Map<keyof AccessStore["Service"], number>

/** Counts what is asked of the store; `close` is no function, and is passed on. */
const counted = (calls: Calls) =>
  Layer.effect(
    AccessStore,
    AccessStore.useSync(
      (store) =>
        new Proxy(store, {
          get: (target, name: keyof AccessStore["Service"]) => {
            calls.set(name, (calls.get(name) ?? 0) + 1)
            return target[name]
          },
        }),
    ),
  )

/** Everything new. */
export const access = (calls: Calls = new Map()) =>
  Layer.fresh(
    layerAccess({ dashboardPublicKey: publicPem }).pipe(
      Layer.provide(layerCost),
      Layer.provideMerge(counted(calls).pipe(Layer.provideMerge(layerAccessStoreMemory))),
    ),
  )

export const draft = (fields: Partial<KeyDraft> = {}): KeyDraft => ({
  name: "ci",
  scopes: ["predict"],
  models: null,
  expiresAt: null,
  rateLimit: null,
  quota: null,
  ...fields,
})

export const password = Redacted.make("a fine long password")
export const ada = Email.make("ada@example.com")
export const bob = Email.make("bob@example.com")

const outcome = (result: ReturnType<Authentication["Service"]["identify"]>) =>
  Result.match(result, {
    onSuccess: (identity) => identity._tag as string,
    onFailure: ({ why }) => why as string,
  })

/** Who a request is from, or why not, by `Authorization: Bearer`. */
export const bearer = (text: string) =>
  Authentication.useSync(({ identify }) =>
    outcome(identify({ authorization: `Bearer ${text}`, apiKey: undefined })),
  )

/** By both headers. */
export const headers = (authorization: string | undefined, apiKey: string | undefined) =>
  Authentication.useSync(({ identify }) => outcome(identify({ authorization, apiKey })))

const part = (value: unknown) =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url")

/** A token with these members, signed as the dashboard does unless told otherwise. */
export const tokenOf = (
  claims: unknown,
  header: unknown = { alg: "EdDSA", typ: "JWT" },
  signature: (signed: string) => Uint8Array = (signed) => sign(null, Buffer.from(signed), privateKey),
) => {
  const signed = `${part(header)}.${part(claims)}`
  return `${signed}.${Buffer.from(signature(signed)).toString("base64url")}`
}
