/** `IdempotencyStore` on PostgreSQL. Each operation is one statement, and the clock is the server's. */
import {
  type Claim,
  type ClaimRequest,
  type Holder,
  IdempotencyStore,
  type KeptAnswer,
} from "@modelforge/core"
import { Array, Duration, Effect, Layer, Option, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { write } from "./registryOperation.ts"
import { json, only, rows, text } from "./rows.ts"

const ClaimedRow = Schema.Struct({ claimed: Schema.Boolean })
const CountRow = Schema.Struct({ count: Schema.Int })
const EntryRow = Schema.Struct({
  fingerprint: Schema.String,
  content: Schema.NullOr(Schema.String),
  done: Schema.Boolean,
  running: Schema.Boolean,
  answer: Schema.NullOr(
    Schema.Struct({
      status: Schema.Int,
      headers: Schema.Record(Schema.String, Schema.String),
      body: Schema.String,
    }),
  ),
})
type EntryRow = typeof EntryRow.Type

/** An entry may expire or be released between the attempt to claim it and the look at it; then it is free. */
const attempts = 5

const seconds = (duration: Duration.Duration) => Duration.toSeconds(duration)

/** What an entry that could not be claimed means for a request. */
const met = ({ fingerprint, content }: ClaimRequest, entry: EntryRow): Claim => {
  const others = entry.content !== null && content !== null && entry.content !== content
  if (entry.fingerprint !== fingerprint || others) return { _tag: "Reused" }
  if (entry.done) return { _tag: "Answered", answer: entry.answer, content: entry.content }
  return { _tag: entry.running ? "Running" : "Lost" }
}

const make = Effect.map(SqlClient.SqlClient, (sql) => {
  const within = (duration: Duration.Duration) =>
    sql`clock_timestamp() + make_interval(secs => ${seconds(duration)}::float8)`

  const take = ({ owner, key, fingerprint, content, holder, lease, keep, repeatable }: ClaimRequest) =>
    Effect.map(
      rows(ClaimedRow)(sql`
        INSERT INTO modelforge.idempotency AS i (owner, key, fingerprint, content, holder, held_until, expires_at)
        VALUES (${owner}, ${key}, ${fingerprint}, ${content}, ${holder}::uuid, ${within(lease)}, ${within(keep)})
        ON CONFLICT (owner, key) DO UPDATE SET
          fingerprint = excluded.fingerprint, content = excluded.content, holder = excluded.holder,
          held_until = excluded.held_until, expires_at = excluded.expires_at,
          status = NULL, headers = NULL, body = NULL
        WHERE i.expires_at <= clock_timestamp()
          OR (${repeatable} AND i.held_until <= clock_timestamp() AND i.fingerprint = excluded.fingerprint
            AND (i.content IS NULL OR excluded.content IS NULL OR i.content = excluded.content))
        RETURNING true AS claimed
      `),
      Array.isReadonlyArrayNonEmpty,
    )

  const look = ({ owner, key }: ClaimRequest) =>
    Effect.map(
      rows(EntryRow)(sql`
        SELECT fingerprint, content, held_until IS NULL AS done,
          COALESCE(held_until > clock_timestamp(), false) AS running,
          CASE WHEN status IS NULL THEN NULL
            ELSE json_build_object('status', status, 'headers', headers, 'body', body) END AS answer
        FROM modelforge.idempotency
        WHERE owner = ${owner} AND key = ${key} AND expires_at > clock_timestamp()
      `),
      Array.head,
    )

  /** Undefined when the entry went in between. */
  const attempt = Effect.fnUntraced(function* (request: ClaimRequest) {
    if (yield* take(request)) return { _tag: "Claimed" } satisfies Claim as Claim
    const entry = yield* look(request)
    if (Option.isNone(entry)) return undefined
    const claim = met(request, entry.value)
    // Its holder died in between.
    return claim._tag === "Lost" && request.repeatable ? undefined : claim
  })

  const isHolder = ({ owner, key, holder }: Holder) =>
    sql`owner = ${owner} AND key = ${key} AND holder = ${holder}::uuid AND held_until IS NOT NULL`

  const members = (answer: KeptAnswer | null) =>
    answer === null
      ? sql`status = NULL, headers = NULL, body = NULL`
      : sql`status = ${answer.status}, headers = ${json(answer.headers)}, body = ${text(answer.body)}`

  return IdempotencyStore.of({
    claim: (request) =>
      attempt(request).pipe(
        Effect.repeat({ until: (claim) => claim !== undefined, times: attempts - 1 }),
        // Others come and go all the time: one of them is at work.
        Effect.map((claim): Claim => claim ?? { _tag: "Running" }),
        write("claimIdempotencyKey"),
      ),
    extend: (holder) =>
      sql`
        UPDATE modelforge.idempotency SET held_until = ${within(holder.lease)}, expires_at = ${within(holder.keep)}
        WHERE ${isHolder(holder)}
      `.withoutTransform.pipe(Effect.asVoid, write("extendIdempotencyKey")),
    settle: (holder, { answer, content }) =>
      sql`
        UPDATE modelforge.idempotency
        SET held_until = NULL, expires_at = ${within(holder.keep)}, content = ${content}, ${members(answer)}
        WHERE ${isHolder(holder)}
      `.withoutTransform.pipe(Effect.asVoid, write("settleIdempotencyKey")),
    release: (holder) =>
      sql`DELETE FROM modelforge.idempotency WHERE ${isHolder(holder)}`.withoutTransform.pipe(
        Effect.asVoid,
        write("releaseIdempotencyKey"),
      ),
    // An index can't be held against clock_timestamp(), which is another for every row.
    prune: rows(CountRow)(sql`
      WITH deleted AS (
        DELETE FROM modelforge.idempotency WHERE expires_at <= statement_timestamp() RETURNING 1
      )
      SELECT count(*)::integer AS count FROM deleted
    `).pipe(
      only,
      Effect.map(({ count }) => count),
      write("pruneIdempotencyKeys"),
    ),
  })
})

/** On a database that `layerMigrations` has brought up to date. */
export const layer: Layer.Layer<IdempotencyStore, never, SqlClient.SqlClient> = Layer.effect(
  IdempotencyStore,
  make,
)
