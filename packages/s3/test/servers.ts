/** S3 for tests: the independent server s3rver, and a stub of our own that knows conditions and fails on demand. */
import { createHash, randomUUID } from "node:crypto"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { NodeServices } from "@effect/platform-node"
import { Effect, FileSystem, Redacted } from "effect"
import S3rver from "s3rver"
import type { S3ArtifactStoreOptions } from "../src/S3ArtifactStore.ts"

const bucket = "models"

/** What both servers accept. */
const credentials = { accessKeyId: "S3RVER", secretAccessKey: Redacted.make("S3RVER") }

export const temporaryFolder = FileSystem.FileSystem.use((fs) =>
  fs.makeTempDirectoryScoped({ prefix: "modelforge-test-" }),
).pipe(Effect.provide(NodeServices.layer))

/** Options for a store on a server of this machine. */
export const optionsFor = (port: number, cacheDirectory: string): S3ArtifactStoreOptions => ({
  bucket,
  prefix: "some/prefix",
  endpoint: `http://127.0.0.1:${port}`,
  region: "us-east-1",
  credentials,
  cacheDirectory,
})

/** Runs until the scope closes; succeeds with the port. */
export const startS3rver = Effect.gen(function* () {
  const directory = yield* temporaryFolder
  const server = new S3rver({
    port: 0,
    address: "127.0.0.1",
    silent: true,
    directory,
    configureBuckets: [{ name: bucket }],
  })
  const { port } = yield* Effect.acquireRelease(
    Effect.promise(() => server.run()),
    () => Effect.promise(() => server.close()),
  )
  return port
})

interface StoredObject {
  bytes: Buffer
  modifiedAt: number
}

/** An answer instead of the usual one. */
export type Fault =
  | { readonly status: number; readonly code: string }
  | { readonly wait: Promise<void> }
  /** The connection breaks after so many bytes of the body. */
  | { readonly cutAt: number }

/** The part of S3 that the store uses, in memory. */
export class S3Stub {
  readonly objects = new Map<string, StoredObject>()
  /** Multipart uploads that are neither complete nor aborted. */
  readonly uploads = new Map<string, Map<number, Buffer>>()
  /** `GET some/key`, `PUT some/key?partNumber`, in order. */
  readonly requests: Array<string> = []
  /** Asked before each request is answered. */
  fault: (request: string) => Fault | undefined = () => undefined
  hasBucket = true
  readonly #server = createServer((request, response) => {
    this.#answer(request, response).catch(() => response.destroy())
  })

  readonly start = Effect.acquireRelease(
    Effect.callback<number>((resume) => {
      this.#server.listen(0, "127.0.0.1", () => {
        const address = this.#server.address()
        resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0))
      })
    }),
    () =>
      Effect.callback<void>((resume) => {
        this.#server.closeAllConnections()
        this.#server.close(() => resume(Effect.void))
      }),
  )

  readonly count = (request: RegExp) => this.requests.filter((made) => request.test(made)).length

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "", "http://stub")
    const key = decodeURIComponent(url.pathname.slice(bucket.length + 2))
    const query = ["uploads", "uploadId", "partNumber", "list-type"].filter((name) =>
      url.searchParams.has(name),
    )
    const name = `${request.method} ${key}${query.length > 0 ? `?${query.join("&")}` : ""}`
    this.requests.push(name)
    const chunks: Array<Buffer> = []
    for await (const chunk of request) chunks.push(chunk)
    const fault = this.fault(name)
    if (fault !== undefined && "wait" in fault) await fault.wait
    if (fault !== undefined && "status" in fault) return fail(response, fault.status, fault.code)
    if (!this.hasBucket) return fail(response, 404, "NoSuchBucket")
    const body = Buffer.concat(chunks)
    if (key === "") return this.#list(url.searchParams, response)
    const uploadId = url.searchParams.get("uploadId")
    if (uploadId !== null || url.searchParams.has("uploads"))
      return this.#multipart(request, url, key, body, response)
    switch (request.method) {
      case "PUT":
        return this.#put(request, key, body, response)
      case "DELETE":
        this.objects.delete(key)
        response.writeHead(204).end()
        return
      default:
        return this.#get(request, key, response, fault)
    }
  }

  #get(request: IncomingMessage, key: string, response: ServerResponse, fault: Fault | undefined) {
    const object = this.objects.get(key)
    if (object === undefined) return fail(response, 404, "NoSuchKey")
    response.writeHead(200, {
      "content-length": object.bytes.length,
      "last-modified": new Date(object.modifiedAt).toUTCString(),
      etag: etagOf(object.bytes),
    })
    if (request.method === "HEAD") response.end()
    else if (fault !== undefined && "cutAt" in fault)
      response.write(object.bytes.subarray(0, fault.cutAt), () => response.destroy())
    else response.end(object.bytes)
  }

  #put(request: IncomingMessage, key: string, body: Buffer, response: ServerResponse) {
    const source = request.headers["x-amz-copy-source"]
    if (typeof source === "string") {
      const object = this.objects.get(decodeURIComponent(source).slice(bucket.length + 1))
      if (object === undefined) return fail(response, 404, "NoSuchKey")
      this.objects.set(key, { bytes: object.bytes, modifiedAt: Date.now() })
      return xml(response, `<CopyObjectResult><ETag>${etagOf(object.bytes)}</ETag></CopyObjectResult>`)
    }
    if (this.#store(request, key, body, response)) response.writeHead(200, { etag: etagOf(body) }).end()
  }

  /** False when the condition does not hold; that is answered then. */
  #store(request: IncomingMessage, key: string, bytes: Buffer, response: ServerResponse): boolean {
    if (request.headers["if-none-match"] === "*" && this.objects.has(key)) {
      fail(response, 412, "PreconditionFailed")
      return false
    }
    this.objects.set(key, { bytes, modifiedAt: Date.now() })
    return true
  }

  #multipart(request: IncomingMessage, url: URL, key: string, body: Buffer, response: ServerResponse) {
    const uploadId = url.searchParams.get("uploadId") ?? randomUUID()
    const parts = this.uploads.get(uploadId) ?? new Map<number, Buffer>()
    if (request.method === "PUT") {
      if (!this.uploads.has(uploadId)) return fail(response, 404, "NoSuchUpload")
      parts.set(Number(url.searchParams.get("partNumber")), body)
      response.writeHead(200, { etag: etagOf(body) }).end()
    } else if (request.method === "DELETE") {
      this.uploads.delete(uploadId)
      response.writeHead(204).end()
    } else if (url.searchParams.has("uploads")) {
      this.uploads.set(uploadId, parts)
      xml(
        response,
        `<InitiateMultipartUploadResult><UploadId>${uploadId}</UploadId></InitiateMultipartUploadResult>`,
      )
    } else {
      const whole = Buffer.concat([...parts].sort(([a], [b]) => a - b).map(([, part]) => part))
      if (!this.#store(request, key, whole, response)) return
      this.uploads.delete(uploadId)
      xml(
        response,
        `<CompleteMultipartUploadResult><ETag>${etagOf(whole)}</ETag></CompleteMultipartUploadResult>`,
      )
    }
  }

  /** Two a page. */
  #list(query: URLSearchParams, response: ServerResponse) {
    const after = query.get("continuation-token") ?? ""
    const prefix = query.get("prefix") ?? ""
    const keys = [...this.objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort()
    const page = keys.slice(0, 2)
    const contents = page.map((key) => {
      const { bytes, modifiedAt } = this.objects.get(key) ?? { bytes: Buffer.alloc(0), modifiedAt: 0 }
      const time = new Date(modifiedAt).toISOString()
      return `<Contents><Key>${key}</Key><Size>${bytes.length}</Size><LastModified>${time}</LastModified></Contents>`
    })
    const more = keys.length > page.length
    const next = more ? `<NextContinuationToken>${page.at(-1)}</NextContinuationToken>` : ""
    xml(
      response,
      `<ListBucketResult><IsTruncated>${more}</IsTruncated>${next}${contents.join("")}</ListBucketResult>`,
    )
  }
}

const etagOf = (bytes: Buffer) => `"${createHash("md5").update(bytes).digest("hex")}"`

const xml = (response: ServerResponse, body: string) => {
  response.writeHead(200, { "content-type": "application/xml" }).end(`<?xml version="1.0"?>${body}`)
}

const fail = (response: ServerResponse, status: number, code: string) => {
  const body = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>secret of the server</Message></Error>`
  response.writeHead(status, { "content-type": "application/xml" }).end(body)
}
