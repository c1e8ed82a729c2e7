/** The file in an upload's body, whichever way it was sent, as a stream. */
import { BadRequestProblem, UnsupportedMediaTypeProblem } from "@modelforge/api"
import { Digest, UploadInterrupted } from "@modelforge/core"
import { ByteSize, Effect, Option, Result, Stream } from "effect"
import { Base64, Hex } from "effect/encoding"
import { type HttpServerRequest, Multipart } from "effect/http"

const broken = (detail: string) => new UploadInterrupted({ detail })

/** Fields of a form, the file among them. */
const maxParts = 16
/** What a field beside the file may hold. */
const maxFieldBytes = 64 * 1024

/** What the reason is called for people. */
const partTrouble: Readonly<Record<string, string>> = {
  TooManyParts: `the form has more than ${maxParts} fields`,
  FieldTooLarge: `a field beside the file is larger than ${maxFieldBytes} bytes`,
}

/** The one part named `file`; small fields beside it are passed over. */
const multipartFile = (request: HttpServerRequest.HttpServerRequest) => {
  let seen = 0
  const parts = request.multipartStream.pipe(
    Stream.provideService(Multipart.MaxParts, maxParts),
    Stream.provideService(Multipart.MaxFieldSize, ByteSize.bytes(maxFieldBytes)),
    Stream.mapError(({ reason }) =>
      broken(partTrouble[reason._tag] ?? `the multipart body can't be read (${reason._tag})`),
    ),
  )
  const file = Stream.flatMap(parts, (part): Stream.Stream<Uint8Array, UploadInterrupted> => {
    if (!Multipart.isFile(part)) return Stream.empty
    if (part.key !== "file")
      return Stream.fail(broken(`the file is in the field "${part.key}": send it in the field "file"`))
    if (++seen > 1) return Stream.fail(broken('there are two fields "file": send one model at a time'))
    return Stream.mapError(part.content, () => broken("the connection broke"))
  })
  const none = Stream.suspend(() =>
    seen === 0 ? Stream.fail(broken('the form has no file in the field "file"')) : Stream.empty,
  )
  return Stream.concat(file, none)
}

export const uploadBody = (
  request: HttpServerRequest.HttpServerRequest,
): Effect.Effect<Stream.Stream<Uint8Array, UploadInterrupted>, UnsupportedMediaTypeProblem> => {
  const encoding = request.headers["content-encoding"]
  if (encoding !== undefined && encoding !== "identity")
    return Effect.fail(
      new UnsupportedMediaTypeProblem({
        detail: `The content encoding "${encoding.slice(0, 40)}" is not supported: send the file as it is`,
      }),
    )
  const type = (request.headers["content-type"] ?? "application/octet-stream")
    .split(";")[0]
    ?.trim()
    .toLowerCase()
  if (type === "application/octet-stream")
    return Effect.succeed(Stream.mapError(request.stream, () => broken("the connection broke")))
  if (type === "multipart/form-data") return Effect.succeed(multipartFile(request))
  return Effect.fail(
    new UnsupportedMediaTypeProblem({
      detail:
        'Send the file as "content-type: application/octet-stream", or as the field "file" of "multipart/form-data"',
    }),
  )
}

/** RFC 9530: `sha-256=:base64:`, possibly among other algorithms, which are left alone. */
const contentDigest = /(?:^|,)\s*sha-256=:([A-Za-z0-9+/=]*):/i

export const announcedDigest = (
  header: string | undefined,
): Effect.Effect<Digest | undefined, BadRequestProblem> => {
  if (header === undefined) return Effect.succeed(undefined)
  const base64 = contentDigest.exec(header)?.[1] ?? ""
  const digest = Result.getSuccess(Base64.decode(base64)).pipe(
    Option.flatMap((bytes) => Digest.makeOption(Hex.encode(bytes))),
  )
  return Option.isSome(digest)
    ? Effect.succeed(digest.value)
    : Effect.fail(
        new BadRequestProblem({
          detail: "Content-Digest has no SHA-256 that can be read: send sha-256=:<base64 of 32 bytes>:",
          errors: [{ path: "headers.content-digest", message: "expected sha-256=:…:" }],
        }),
      )
}
