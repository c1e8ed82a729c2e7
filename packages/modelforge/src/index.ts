export * from "./Engine.ts"
export * from "./ModelForge.ts"
export * from "./ModelForgeError.ts"
