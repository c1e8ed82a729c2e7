import { EventStoreSuite } from "@modelforge/core/testing"
import { Effect, Layer } from "effect"
import { layer } from "../src/PostgresStores.ts"
import { testServer } from "./TestPostgres.ts"

const server = testServer()

// One database, so that the second run finds what the first left there.
const stores = Layer.unwrap(Effect.map(server, ({ socketPath }) => layer({ socketPath })))
EventStoreSuite.suite("PostgreSQL", stores)
EventStoreSuite.suite("PostgreSQL, the same database again", stores)
