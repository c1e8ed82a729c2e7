export * from "./inference/ModelRuntime.ts"
export * from "./model.ts"
export * from "./registry/ModelScanner.ts"
