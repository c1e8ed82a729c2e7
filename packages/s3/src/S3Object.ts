/** Objects: made of local files, whole or not at all, in parts when they are large; copied, listed, deleted. */
import type { CompletedPart } from "@aws-sdk/client-s3"
import { type ArtifactError, failedIn } from "@modelforge/core"
import { DateTime, Effect, FileSystem, Option, Stream } from "effect"
import type { S3Failure, S3Request } from "./S3Bucket.ts"

/** Larger files go in parts of this size. A part is held in memory while it is sent. */
const partBytes = 8 * 2 ** 20
const partsAtOnce = 4

export interface S3Target {
  readonly Bucket: string
  readonly Key: string
}

export interface S3File {
  readonly file: string
  /** Bytes. */
  readonly size: number
  /** Hexadecimal. */
  readonly digest: string
}

type WriteError = S3Failure | ArtifactError

const failsWith = (status: number) => (error: WriteError) =>
  error._tag === "S3Failure" && error.status === status
const exists = failsWith(412)
/** The object was made or removed while this was written. */
const conflicts = failsWith(409)
/** Some servers know no conditional writes, and say so. */
const knowsNoConditions = failsWith(501)

const readPart = (file: string, offset: number, bytesToRead: number) =>
  FileSystem.FileSystem.use((fs) =>
    Effect.map(
      Stream.runCollect(fs.stream(file, { offset, bytesToRead, chunkSize: 2 ** 20 })),
      (chunks) => new Uint8Array(Buffer.concat(chunks)),
    ),
  )

interface Write {
  readonly target: S3Target
  readonly file: S3File
  readonly condition: { readonly IfNoneMatch?: string }
}

const writeInOne = Effect.fnUntraced(function* (request: S3Request, { target, file, condition }: Write) {
  const Body = yield* readPart(file.file, 0, file.size)
  const ChecksumSHA256 = Buffer.from(file.digest, "hex").toString("base64")
  yield* request("commit", (client, sdk, options) =>
    client.send(new sdk.PutObjectCommand({ ...target, ...condition, Body, ChecksumSHA256 }), options),
  )
})

const writeInParts = Effect.fnUntraced(function* (request: S3Request, { target, file, condition }: Write) {
  const { UploadId } = yield* request("commit", (client, sdk, options) =>
    client.send(new sdk.CreateMultipartUploadCommand(target), options),
  )
  const upload = { ...target, UploadId }
  const offsets = Array.from({ length: Math.ceil(file.size / partBytes) }, (_, part) => part * partBytes)
  const sendPart = Effect.fnUntraced(function* (offset: number, index: number) {
    const Body = yield* readPart(file.file, offset, Math.min(partBytes, file.size - offset))
    const PartNumber = index + 1
    const { ETag } = yield* request("commit", (client, sdk, options) =>
      client.send(new sdk.UploadPartCommand({ ...upload, PartNumber, Body }), options),
    )
    return { PartNumber, ETag } satisfies CompletedPart
  })
  yield* Effect.gen(function* () {
    const Parts = yield* Effect.forEach(offsets, sendPart, { concurrency: partsAtOnce })
    const complete = { ...upload, ...condition, MultipartUpload: { Parts } }
    yield* request("commit", (client, sdk, options) =>
      client.send(new sdk.CompleteMultipartUploadCommand(complete), options),
    )
  }).pipe(
    // Parts that nothing comes of are paid for until somebody removes them.
    Effect.onError(() =>
      Effect.ignore(
        request("abort", (client, sdk, options) =>
          client.send(new sdk.AbortMultipartUploadCommand(upload), options),
        ),
      ),
    ),
  )
})

const write = (request: S3Request, { target, file, condition }: Write) => {
  const writeFile = file.size <= partBytes ? writeInOne : writeInParts
  return writeFile(request, { target, file, condition }).pipe(
    Effect.catchTag("PlatformError", (error) => Effect.fail(failedIn("commit")(error))),
  )
}

/** Whoever makes the object first has made it: the same key means the same bytes. */
export const createObject = (request: S3Request, target: S3Target, file: S3File) =>
  write(request, { target, file, condition: { IfNoneMatch: "*" } }).pipe(
    Effect.retry({ while: conflicts, times: 2 }),
    Effect.catchIf(exists, () => Effect.void),
    Effect.catchIf(knowsNoConditions, () => replaceObject(request, target, file)),
  )

export const replaceObject = (request: S3Request, target: S3Target, file: S3File) =>
  write(request, { target, file, condition: {} })

export const copyObject = (request: S3Request, from: S3Target, to: S3Target) => {
  const CopySource = [from.Bucket, ...from.Key.split("/")].map(encodeURIComponent).join("/")
  return request("remove", (client, sdk, options) =>
    client.send(new sdk.CopyObjectCommand({ ...to, CopySource }), options),
  )
}

export const deleteObject = (request: S3Request, target: S3Target) =>
  request("remove", (client, sdk, options) => client.send(new sdk.DeleteObjectCommand(target), options))

export interface ListedObject {
  readonly key: string
  /** Bytes. */
  readonly size: number
  readonly modifiedAt: DateTime.Utc
}

/** Page after page. */
export const listObjects = (
  request: S3Request,
  Bucket: string,
  Prefix: string,
): Stream.Stream<ListedObject, S3Failure> =>
  Stream.paginate(undefined as string | undefined, (ContinuationToken) =>
    request("list", (client, sdk, options) =>
      client.send(new sdk.ListObjectsV2Command({ Bucket, Prefix, ContinuationToken }), options),
    ).pipe(
      Effect.map(({ Contents = [], NextContinuationToken }) => {
        const objects = Contents.flatMap(({ Key, Size, LastModified }) =>
          Key === undefined || LastModified === undefined
            ? []
            : [{ key: Key, size: Size ?? 0, modifiedAt: DateTime.fromDateUnsafe(LastModified) }],
        )
        return [objects, Option.fromUndefinedOr(NextContinuationToken)] as const
      }),
    ),
  )
