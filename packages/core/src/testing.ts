/** Suites that say what an implementation of a contract must do. They need `vitest` and `@effect/vitest`. */
export * as RegistryStoreSuite from "./testing/RegistryStoreSuite.ts"
