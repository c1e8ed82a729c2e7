/** Every statement of users. */
import { type Email, type StoredLogin, User, type UserId, type Window } from "@modelforge/core"
import { Array, DateTime, Effect, Option, Schema } from "effect"
import type { SqlClient, Statement } from "effect/sql"
import { only, rows, text } from "./rows.ts"

const UserRow = Schema.Struct({
  ...User.fields,
  createdAt: Schema.DateTimeUtcFromDate,
  lastLoginAt: Schema.NullOr(Schema.DateTimeUtcFromDate),
})
const LoginRow = Schema.Struct({ ...UserRow.fields, passwordHash: Schema.NullOr(Schema.String) })

export const makeUserStatements = (sql: SqlClient.SqlClient) => {
  const columns = sql`
    u.id, u.email, u.name, u.role, u.disabled, u.session_epoch AS "sessionEpoch", u.created_at AS "createdAt",
    u.last_login_at AS "lastLoginAt"
  `

  const users = (statement: Statement.Statement<object>) =>
    Effect.map(
      rows(UserRow)(statement),
      Array.map((row) => new User(row)),
    )
  const logins = (statement: Statement.Statement<object>) =>
    Effect.map(rows(LoginRow)(statement), (found) =>
      Option.map(
        Array.head(found),
        ({ passwordHash, ...row }): StoredLogin => ({ user: new User(row), passwordHash }),
      ),
    )

  return {
    insertUser: ({ user, passwordHash }: StoredLogin, generation: number) =>
      users(sql`
        INSERT INTO modelforge.users AS u (id, email, name, role, disabled, password_hash, session_epoch, created_at,
          generation)
        VALUES (${user.id}, ${user.email}, ${text(user.name)}, ${user.role}, ${user.disabled}, ${passwordHash},
          ${user.sessionEpoch}, ${DateTime.toDateUtc(user.createdAt)}, ${generation})
        RETURNING ${columns}
      `).pipe(only),

    findUser: (id: UserId) =>
      users(sql`SELECT ${columns} FROM modelforge.users AS u WHERE u.id = ${id}`).pipe(
        Effect.map(Array.head),
      ),

    findLogin: (email: string) =>
      logins(sql`
        SELECT ${columns}, u.password_hash AS "passwordHash" FROM modelforge.users AS u
        WHERE u.email = ${text(email)}
      `),

    listUsers: ({ limit, after }: Window<Email>) =>
      users(sql`
        SELECT ${columns} FROM modelforge.users AS u
        WHERE ${after ?? null}::text IS NULL OR u.email > ${after ?? null}
        ORDER BY u.email
        LIMIT ${limit}
      `),

    usersSince: (generation: number) =>
      users(sql`SELECT ${columns} FROM modelforge.users AS u WHERE u.generation > ${generation}`),

    /** Whether somebody else may make users and keys. */
    hasOtherAdmin: (id: UserId) =>
      Effect.map(
        sql`
          SELECT FROM modelforge.users WHERE id <> ${id} AND role = 'admin' AND NOT disabled LIMIT 1
        `.withoutTransform,
        Array.isReadonlyArrayNonEmpty,
      ),

    updateUser: ({ id, name, role, disabled, sessionEpoch }: User, generation: number, hash?: string) =>
      users(sql`
        UPDATE modelforge.users AS u SET name = ${text(name)}, role = ${role}, disabled = ${disabled},
          session_epoch = ${sessionEpoch}, password_hash = COALESCE(${hash ?? null}, u.password_hash),
          generation = ${generation}
        WHERE u.id = ${id}
        RETURNING ${columns}
      `).pipe(only),

    deleteUser: (id: UserId) => sql`DELETE FROM modelforge.users WHERE id = ${id}`.withoutTransform,

    noteLogin: (id: UserId, at: DateTime.Utc, from: string | null, to: string | null) =>
      sql`
        UPDATE modelforge.users SET last_login_at = ${DateTime.toDateUtc(at)},
          password_hash = CASE WHEN password_hash = ${from}::text THEN ${to}::text ELSE password_hash END
        WHERE id = ${id}
      `.withoutTransform,
  }
}
