/** Keys and users in the library's words: promises, plain objects, texts. */
import {
  ApiKey,
  ApiKeys,
  Email,
  type IssuedKey as Issued,
  KeyDraft,
  KeyId,
  type Quota,
  type RateLimit,
  type Role,
  type Scope,
  User,
  UserId,
  Users as UserService,
} from "@modelforge/core"
import { DateTime, Effect, Option, Redacted, Schema } from "effect"
import type { Engine } from "../Engine.ts"
import { ModelForgeError } from "../ModelForgeError.ts"
import { allPages } from "./AccessAdmin.ts"

/** A key without its secret. Times are RFC 3339. */
export type KeyInfo = typeof ApiKey.Encoded

export interface IssuedKey extends KeyInfo {
  /** What clients send. It is shown this once. */
  readonly secret: string
}

export interface KeyOptions {
  /** What the key is for, in words. */
  readonly name: string
  readonly scopes: ReadonlyArray<Scope>
  /** The only models that the key is for. Default: all. */
  readonly models?: ReadonlyArray<string>
  /** In the future. Default: it does not expire. */
  readonly expiresAt?: Date
  readonly rateLimit?: RateLimit
  readonly quota?: Quota
}

export interface Keys {
  /** With the first key, servers on the same data ask for one. */
  readonly create: (options: KeyOptions) => Promise<IssuedKey>
  /** Newest first, revoked ones too. */
  readonly list: () => Promise<ReadonlyArray<KeyInfo>>
  /** For good. */
  readonly revoke: (id: string) => Promise<KeyInfo>
  /** A new secret; the one before goes on being valid for so many seconds, a week at most. Default: 0. */
  readonly rotate: (id: string, overlapSeconds?: number) => Promise<IssuedKey>
}

/** A user. Times are RFC 3339. */
export type UserInfo = typeof User.Encoded

export interface UserOptions {
  readonly email: string
  readonly role: Role
  /** 12 to 256 characters, none that is easily guessed. */
  readonly password: string
  /** Default: the email address. */
  readonly name?: string
}

export interface UserChanges {
  readonly name?: string
  readonly role?: Role
  readonly disabled?: boolean
  readonly password?: string
}

export interface Users {
  readonly add: (options: UserOptions) => Promise<UserInfo>
  /** By email. */
  readonly list: () => Promise<ReadonlyArray<UserInfo>>
  /** Another role or password, disabling and enabling end the user's sessions. */
  readonly update: (id: string, changes: UserChanges) => Promise<UserInfo>
  readonly remove: (id: string) => Promise<void>
}

type Use = <A>(effect: Effect.Effect<A, unknown, Engine>) => Promise<A>

const keyInfo = Schema.encodeSync(ApiKey)
const userInfo = Schema.encodeSync(User)
const issued = ({ key, secret }: Issued): IssuedKey => ({ ...keyInfo(key), secret: Redacted.value(secret) })

const invalid = (code: string) => Effect.mapError(({ message }: Error) => new ModelForgeError(code, message))

const decodeDraft = ({ models, expiresAt, rateLimit, quota, ...rest }: KeyOptions) =>
  Effect.gen(function* () {
    const draft = yield* Schema.decodeUnknownEffect(KeyDraft)({
      ...rest,
      models: models ?? null,
      expiresAt: expiresAt?.toISOString() ?? null,
      rateLimit: rateLimit ?? null,
      quota: quota ?? null,
    }).pipe(invalid("invalid-key"))
    const now = yield* DateTime.now
    return draft.expiresAt !== null && DateTime.isLessThanOrEqualTo(draft.expiresAt, now)
      ? yield* Effect.fail(new ModelForgeError("invalid-key", "expiresAt is past"))
      : draft
  })

/** What can't be an id is nobody's. */
const idOf = <Id>(made: Option.Option<Id>, code: string, id: string): Effect.Effect<Id, ModelForgeError> =>
  Option.match(made, {
    onNone: () => Effect.fail(new ModelForgeError(code, `There is nothing with the id "${id}"`)),
    onSome: Effect.succeed,
  })
const keyId = (id: string) => idOf(KeyId.makeOption(id), "key-not-found", id)
const userId = (id: string) => idOf(UserId.makeOption(id), "user-not-found", id)

export const makeKeys = (use: Use): Keys => ({
  create: (options) =>
    use(
      decodeDraft(options).pipe(
        Effect.flatMap((draft) => ApiKeys.use((keys) => keys.create(draft))),
        Effect.map(issued),
      ),
    ),
  list: () =>
    use(
      ApiKeys.use((keys) =>
        allPages((last: ApiKey | undefined, limit) => keys.list({ limit, after: last?.id })),
      ).pipe(Effect.map((keys) => keys.map((key) => keyInfo(key)))),
    ),
  revoke: (id) =>
    use(
      keyId(id).pipe(
        Effect.flatMap((key) => ApiKeys.use((keys) => keys.revoke(key))),
        Effect.map((key) => keyInfo(key)),
      ),
    ),
  rotate: (id, overlapSeconds) =>
    use(
      keyId(id).pipe(
        Effect.flatMap((key) => ApiKeys.use((keys) => keys.rotate(key, overlapSeconds))),
        Effect.map(issued),
      ),
    ),
})

const decodeEmail = (email: string) =>
  Schema.decodeUnknownEffect(Email)(email.toLowerCase()).pipe(invalid("invalid-email"))

export const makeUsers = (use: Use): Users => ({
  add: ({ email, role, password, name = email }) =>
    use(
      decodeEmail(email).pipe(
        Effect.flatMap((address) =>
          UserService.use((users) =>
            users.create({ email: address, role, name, password: Redacted.make(password) }),
          ),
        ),
        Effect.map((user) => userInfo(user)),
      ),
    ),
  list: () =>
    use(
      UserService.use((users) =>
        allPages((last: User | undefined, limit) => users.list({ limit, after: last?.email })),
      ).pipe(Effect.map((users) => users.map((user) => userInfo(user)))),
    ),
  update: (id, { password, ...changes }) =>
    use(
      userId(id).pipe(
        Effect.flatMap((user) =>
          UserService.use((users) =>
            users.update(user, {
              ...changes,
              password: password === undefined ? undefined : Redacted.make(password),
            }),
          ),
        ),
        Effect.map((user) => userInfo(user)),
      ),
    ),
  remove: (id) =>
    use(userId(id).pipe(Effect.flatMap((user) => UserService.use((users) => users.remove(user))))),
})
