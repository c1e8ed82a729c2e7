/** The tus protocol's headers, read and written. */
import {
  BadRequestProblem,
  UnsupportedMediaTypeProblem,
  UnsupportedProtocolProblem,
  uploadPieceType,
} from "@modelforge/api"
import type { Checksum, UploadSession } from "@modelforge/core"
import { DateTime, Effect, Result } from "effect"
import { Base64 } from "effect/encoding"
import type { HttpServerRequest } from "effect/http"
import { withHeaders } from "./withHeaders.ts"

export const tusVersion = "1.0.0"

/** Bytes of each digest. */
const checksums = { sha1: 20, sha256: 32 } as const satisfies Record<Checksum["algorithm"], number>

/** What a client learns from OPTIONS. */
export const capabilities = (maxBytes: number) => ({
  "tus-version": tusVersion,
  "tus-extension": "creation,expiration,termination,checksum",
  "tus-max-size": String(maxBytes),
  "tus-checksum-algorithm": Object.keys(checksums).join(","),
})

/** Says which protocol is spoken. A request that names no version is taken, unless it is one that only tus has. */
export const speakTus = Effect.fnUntraced(function* (version: string | undefined, required: boolean) {
  yield* withHeaders({ "tus-resumable": tusVersion, "cache-control": "no-store" })
  if (version === tusVersion || (version === undefined && !required)) return
  yield* withHeaders({ "tus-version": tusVersion })
  return yield* new UnsupportedProtocolProblem({
    detail: `Send "tus-resumable: ${tusVersion}": uploads that can be continued are those of the tus protocol`,
  })
})

/** How far an upload is. */
export const progress = ({ offset, size, expiresAt, metadata }: UploadSession) => ({
  "upload-offset": String(offset),
  "upload-length": String(size),
  "upload-expires": new Date(DateTime.toEpochMillis(expiresAt)).toUTCString(),
  ...(metadata === null ? {} : { "upload-metadata": metadata }),
})

export const checkPieceType = (request: HttpServerRequest.HttpServerRequest) => {
  const type = request.headers["content-type"]?.split(";")[0]?.trim().toLowerCase()
  const encoding = request.headers["content-encoding"] ?? "identity"
  return type === uploadPieceType && encoding === "identity"
    ? Effect.void
    : Effect.fail(
        new UnsupportedMediaTypeProblem({
          detail: `Send the bytes as they are, as "content-type: ${uploadPieceType}"`,
        }),
      )
}

const unreadable = (header: string, message: string) =>
  new BadRequestProblem({
    detail: `${header} can't be read: ${message}`,
    errors: [{ path: `headers.${header.toLowerCase()}`, message }],
  })

/** `sha1 2jmj7l5rSw0yVb/vlWAYkK/YBwk=` */
export const announcedChecksum = (header: string | undefined) => {
  if (header === undefined) return Effect.undefined
  const [, algorithm, base64 = ""] = /^(sha1|sha256) ([A-Za-z0-9+/]+=*)$/.exec(header) ?? []
  if (algorithm !== "sha1" && algorithm !== "sha256")
    return Effect.fail(unreadable("Upload-Checksum", "expected sha1 or sha256, a space, and base64"))
  const value = Result.getOrUndefined(Base64.decode(base64))
  return value?.length === checksums[algorithm]
    ? Effect.succeed<Checksum>({ algorithm, value })
    : Effect.fail(unreadable("Upload-Checksum", `expected the base64 of ${checksums[algorithm]} bytes`))
}

/** A size that an upload can be begun with. */
export const announcedSize = (header: string) => {
  const size = Number(header)
  return size > 0
    ? Effect.succeed(size)
    : Effect.fail(unreadable("Upload-Length", "a file has at least one byte"))
}

/** Where the new upload is, relative to where it was asked for: wherever the routes are mounted, that is right. */
export const locationOf = (request: HttpServerRequest.HttpServerRequest, id: string) =>
  /\/(?:\?|$)/.test(request.url) ? id : `uploads/${id}`
