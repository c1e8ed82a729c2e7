/** The bucket and the AWS SDK's client for it; what goes wrong there gets its name here. */

import type { S3Client } from "@aws-sdk/client-s3"
import { ArtifactError, ArtifactStorageFailed, ArtifactStorageUnusable } from "@modelforge/core"
import { Effect, Option, Predicate, Redacted, Schema } from "effect"
import type { S3ClientOptions } from "./S3ClientOptions.ts"

type Sdk = typeof import("@aws-sdk/client-s3")

/** A request that failed after the SDK's own retries, or got an answer that is none. */
export class S3Failure extends Schema.TaggedError<S3Failure>()("S3Failure", {
  operation: Schema.String,
  /** Of the answer; null when there was none. */
  status: Schema.NullOr(Schema.Int),
  /** S3's code, or the name of the error. */
  code: Schema.String,
  cause: Schema.Defect(),
}) {
  override get message() {
    return `S3 failed in "${this.operation}": ${this.code}`
  }
}

export const isS3Failure = Schema.is(S3Failure)

const toFailure = (operation: string) => (cause: unknown) => {
  const status =
    Predicate.hasProperty(cause, "$metadata") && Predicate.hasProperty(cause.$metadata, "httpStatusCode")
      ? cause.$metadata.httpStatusCode
      : undefined
  return new S3Failure({
    operation,
    status: typeof status === "number" ? status : null,
    code: cause instanceof Error ? cause.name : "Error",
    cause,
  })
}

export const storageFailed = (failure: S3Failure) =>
  new ArtifactError({
    reason: new ArtifactStorageFailed({ operation: failure.operation, cause: failure.cause }),
  })

const unusable = (detail: string) => new ArtifactError({ reason: new ArtifactStorageUnusable({ detail }) })

/** Why the SDK could not be imported. */
export const sdkTrouble = (cause: unknown): ArtifactError =>
  unusable(
    cause instanceof Error && /cannot find (package|module) '@aws-sdk\/client-s3'/i.test(cause.message)
      ? "the package @aws-sdk/client-s3 is not installed, install it beside modelforge (npm install @aws-sdk/client-s3)"
      : "the package @aws-sdk/client-s3 could not be loaded, see whether its version is 3.1169 or newer",
  )

/** Only where S3 is used, so that nobody else needs the package. */
const loadSdk = Effect.tryPromise({
  try: (): Promise<Sdk> => import("@aws-sdk/client-s3"),
  catch: sdkTrouble,
})

/** Why the set-up can't work, as far as the answer to a first request tells. */
const misconfiguration = (bucket: string, { status, code, cause }: S3Failure): Option.Option<string> => {
  const text = cause instanceof Error ? cause.message : ""
  if (code === "CredentialsProviderError")
    return Option.some(
      "there are no credentials for S3: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give a profile or a role",
    )
  if (/region (is missing|not accepted)/i.test(text)) return Option.some("S3 needs a region: set AWS_REGION")
  if (status === 404) return Option.some(`there is no bucket "${bucket}" in S3: make it first`)
  if (status === 301 || code === "AuthorizationHeaderMalformed")
    return Option.some(`the bucket "${bucket}" is in another region or at another endpoint: set AWS_REGION`)
  if (status === 403 || status === 401)
    return Option.some(
      `S3 refuses the access to bucket "${bucket}" (${code}): the credentials must be allowed to list it and to get, put and delete its objects`,
    )
  return Option.none()
}

const connectionTimeout = 5000
/** Without any byte for so long, a transfer counts as broken. */
const socketTimeout = 30_000

/**
 * Opens the bucket, and asks it for something: what will never work fails at once with `ArtifactStorageUnusable`, and
 * an S3 that is only away is told in the log.
 */
export const openBucket = Effect.fnUntraced(function* (bucket: string, options: S3ClientOptions) {
  const sdk = yield* loadSdk
  const { endpoint, region, credentials } = options
  const client = yield* Effect.acquireRelease(
    Effect.sync(
      () =>
        new sdk.S3Client({
          ...(endpoint === undefined ? {} : { endpoint }),
          ...(region === undefined ? {} : { region }),
          ...(credentials === undefined
            ? {}
            : {
                credentials: {
                  accessKeyId: credentials.accessKeyId,
                  secretAccessKey: Redacted.value(credentials.secretAccessKey),
                },
              }),
          // Understood by every server, unlike host names made of bucket names.
          forcePathStyle: true,
          // Every byte is held against the digest; not every server knows S3's own checksums.
          requestChecksumCalculation: "WHEN_REQUIRED",
          responseChecksumValidation: "WHEN_REQUIRED",
          requestHandler: { connectionTimeout, socketTimeout },
        }),
    ),
    (client) => Effect.sync(() => client.destroy()),
  )

  const request = <A>(
    operation: string,
    send: (client: S3Client, sdk: Sdk, options: { readonly abortSignal: AbortSignal }) => Promise<A>,
  ): Effect.Effect<A, S3Failure> =>
    Effect.tryPromise({
      try: (abortSignal) => send(client, sdk, { abortSignal }),
      catch: toFailure(operation),
    })

  yield* request("open", (client, sdk, options) =>
    client.send(new sdk.ListObjectsV2Command({ Bucket: bucket, MaxKeys: 1 }), options),
  ).pipe(
    Effect.catch((failure) =>
      Option.match(misconfiguration(bucket, failure), {
        onNone: () =>
          Effect.logWarning(
            "S3 does not answer; artifacts that are not cached can't be had until it does",
            failure,
          ),
        onSome: (detail) => Effect.fail(unusable(detail)),
      }),
    ),
  )

  return request
})

export type S3Request = Effect.Success<ReturnType<typeof openBucket>>
