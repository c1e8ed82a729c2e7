/** How S3 is reached. Apart from what uses the SDK, whose types nobody needs who has not installed it. */
import type { Redacted } from "effect"

export interface S3ClientOptions {
  /** Of an S3-compatible server. Default: as the SDK finds it (`AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`), else AWS. */
  readonly endpoint?: string | undefined
  /** Default: as the SDK finds it (`AWS_REGION`, the profile). */
  readonly region?: string | undefined
  /** Default: as the SDK finds them (environment, profile, web identity, the machine's role). */
  readonly credentials?:
    | { readonly accessKeyId: string; readonly secretAccessKey: Redacted.Redacted }
    | undefined
}
