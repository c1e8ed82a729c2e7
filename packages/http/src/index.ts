export * from "./dataplane/DataPlane.ts"
export * from "./dataplane/large/BodyReader.ts"
export * from "./dataplane/request/requestHead.ts"
export * from "./dataplane/response/response.ts"
export * from "./dataplane/routes.ts"
export * from "./guard/Guard.ts"
export type { ProxyHeader } from "./protection/clientAddress.ts"
export { isOrigin } from "./protection/cors.ts"
export {
  layerProtection,
  makeProtection,
  maxHeaders,
  Protection,
  type ProtectionOptions,
  type ProtectionService,
} from "./protection/Protection.ts"
export * from "./Routes.ts"
export * from "./ServerReadiness.ts"
export * from "./ServerVersion.ts"
