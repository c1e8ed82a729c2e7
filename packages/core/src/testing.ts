/** Suites that say what an implementation of a contract must do. They need `vitest` and `@effect/vitest`. */
export * as AccessStoreSuite from "./testing/AccessStoreSuite.ts"
export * as ArtifactStoreSuite from "./testing/ArtifactStoreSuite.ts"
export * as AuditStoreSuite from "./testing/AuditStoreSuite.ts"
export * as EventStoreSuite from "./testing/EventStoreSuite.ts"
export * as IdempotencyStoreSuite from "./testing/IdempotencyStoreSuite.ts"
export * as LockoutStoreSuite from "./testing/LockoutStoreSuite.ts"
export * as RateLimitStoreSuite from "./testing/RateLimitStoreSuite.ts"
export * as RegistryStoreSuite from "./testing/RegistryStoreSuite.ts"
