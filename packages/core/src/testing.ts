/** Suites that say what an implementation of a contract must do. They need `vitest` and `@effect/vitest`. */
export * as ArtifactStoreSuite from "./testing/ArtifactStoreSuite.ts"
export * as EventStoreSuite from "./testing/EventStoreSuite.ts"
export * as LockoutStoreSuite from "./testing/LockoutStoreSuite.ts"
export * as RateLimitStoreSuite from "./testing/RateLimitStoreSuite.ts"
export * as RegistryStoreSuite from "./testing/RegistryStoreSuite.ts"
