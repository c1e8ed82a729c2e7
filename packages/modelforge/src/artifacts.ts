/** Where artifacts are kept, as a URL says. */
import { ArtifactError, ArtifactStorageUnusable, layerArtifactStoreLocal } from "@modelforge/core"
import { layerArtifactStoreS3, parseS3Url, type S3Location } from "@modelforge/s3"
import { Effect, Layer, Option } from "effect"

type ArtifactsLocation =
  | { readonly _tag: "Folder"; readonly directory: string }
  | ({ readonly _tag: "S3" } & S3Location)

const decode = Option.liftThrowable(decodeURIComponent)

/** `file:/a/folder` or `s3://bucket/prefix`. */
export const parseArtifactsUrl = (url: string): Option.Option<ArtifactsLocation> => {
  if (url.startsWith("s3:")) return Option.map(parseS3Url(url), (location) => ({ _tag: "S3", ...location }))
  const path = url.startsWith("file:") ? url.slice("file:".length).replace(/^\/\/(?=\/)/, "") : ""
  return decode(path).pipe(
    Option.filter((directory) => directory !== ""),
    Option.map((directory) => ({ _tag: "Folder", directory })),
  )
}

/** What is wrong with a URL that does not parse. */
export const artifactsUrlTrouble = (url: string) =>
  `"${url}" is not a storage: use file:/a/folder or s3://bucket/prefix`

export interface ArtifactsOptions {
  readonly dataDirectory: string
  /** `file:/a/folder`, or `s3://bucket/prefix`, which needs `@aws-sdk/client-s3`. Default: `artifacts` in the data folder. */
  readonly artifacts?: string | undefined
  /** Bytes that `artifact-cache` in the data folder may hold of artifacts that are in S3. Default: 10 GiB. */
  readonly artifactCacheBytes?: number | undefined
}

export const layerArtifacts = ({ dataDirectory, artifacts, artifactCacheBytes }: ArtifactsOptions) => {
  if (artifacts === undefined) return layerArtifactStoreLocal(`${dataDirectory}/artifacts`)
  return Layer.unwrap(
    Option.match(parseArtifactsUrl(artifacts), {
      onNone: () =>
        Effect.fail(
          new ArtifactError({
            reason: new ArtifactStorageUnusable({ detail: artifactsUrlTrouble(artifacts) }),
          }),
        ),
      onSome: (location) =>
        Effect.succeed(
          location._tag === "Folder"
            ? layerArtifactStoreLocal(location.directory)
            : layerArtifactStoreS3({
                ...location,
                cacheDirectory: `${dataDirectory}/artifact-cache`,
                cacheBytes: artifactCacheBytes,
              }),
        ),
    }),
  )
}
