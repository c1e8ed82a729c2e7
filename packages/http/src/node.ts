/** What hosts on Node's own HTTP server need. */
export * from "./guard/openMode.ts"
export * from "./node/BodyThreads.ts"
export * from "./node/garbageCollection.ts"
export * from "./node/NodeListener.ts"
export type { BodyPatience } from "./node/SlowBodies.ts"
