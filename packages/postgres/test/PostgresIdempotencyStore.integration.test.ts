import { assert, it } from "@effect/vitest"
import { IdempotencyStore } from "@modelforge/core"
import { IdempotencyStoreSuite } from "@modelforge/core/testing"
import { Duration, Effect, Layer } from "effect"
import { layer } from "../src/PostgresStores.ts"
import { testServer } from "./TestPostgres.ts"

const server = testServer()

// One database, so that the second run finds what the first left there.
const stores = Layer.unwrap(Effect.map(server, ({ socketPath }) => layer({ socketPath })))
IdempotencyStoreSuite.suite("PostgreSQL", stores)
IdempotencyStoreSuite.suite("PostgreSQL, the same database again", stores)

it.live("a request is claimed once by servers that share a database", () =>
  Effect.gen(function* () {
    const servers = yield* Effect.forEach([1, 2], () =>
      Effect.map(Layer.build(Layer.fresh(stores)), (context) =>
        IdempotencyStore.pipe(Effect.provideContext(context)),
      ),
    )
    const request = {
      owner: "key:a",
      key: crypto.randomUUID(),
      fingerprint: "f",
      content: null,
      lease: Duration.minutes(1),
      keep: Duration.hours(24),
      repeatable: true,
    }
    const claims = yield* Effect.forEach(
      Array.from({ length: 20 }, (_, index) => servers[index % 2] ?? Effect.die("no server")),
      Effect.flatMap((store) => store.claim({ ...request, holder: crypto.randomUUID() })),
      { concurrency: "unbounded" },
    )
    assert.strictEqual(claims.filter(({ _tag }) => _tag === "Claimed").length, 1)
  }).pipe(Effect.scoped),
)
