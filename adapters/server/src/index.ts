export * from "./ForgeServer.ts"
