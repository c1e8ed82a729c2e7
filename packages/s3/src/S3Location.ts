/** Where in S3 artifacts are: `s3://bucket/prefix`. */
import type { Digest } from "@modelforge/core"
import { Option } from "effect"

export interface S3Location {
  readonly bucket: string
  /** Without slashes at its ends; empty for none. */
  readonly prefix: string
}

/** None when it is not an `s3://` URL with a name that S3 allows for buckets. */
export const parseS3Url = (url: string): Option.Option<S3Location> => {
  const [, bucket, path = ""] = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/.exec(url) ?? []
  return bucket === undefined
    ? Option.none()
    : Option.some({ bucket, prefix: path.replaceAll(/^\/+|\/+$/g, "") })
}

/** Keys below the prefix. */
export const keysOf = ({ prefix }: S3Location) => {
  const root = prefix === "" ? "" : `${prefix}/`
  return {
    artifacts: `${root}sha256/`,
    /** Where objects are while it is found out whether they can go for good. */
    removed: `${root}removed/`,
    artifact: (digest: Digest) => `${root}sha256/${digest.slice(0, 2)}/${digest}`,
  }
}
