export * from "./S3ArtifactStore.ts"
export type { S3ClientOptions } from "./S3ClientOptions.ts"
export { parseS3Url, type S3Location } from "./S3Location.ts"
