export type {
  IssuedKey,
  KeyInfo,
  KeyOptions,
  Keys,
  UserChanges,
  UserInfo,
  UserOptions,
  Users,
} from "./access/libraryAccess.ts"
export * from "./Engine.ts"
export * from "./ModelForge.ts"
export * from "./ModelForgeError.ts"
