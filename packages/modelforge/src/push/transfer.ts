/** Sends a file by the tus protocol, as ADR 22 says: begun, or gone on with, until it is a version. */
import { randomUUID } from "node:crypto"
import { UploadResource, uploadPieceType, VersionResource } from "@modelforge/api"
import type { AliasName, ModelName, UploadId } from "@modelforge/core"
import { Effect, Option, Schema, Stream } from "effect"
import { CommandFailed } from "../command/CommandFailed.ts"
import type { ModelFile } from "./ModelFile.ts"
import type { Progress } from "./Progress.ts"
import type { Persistence } from "./persistence.ts"
import { type Ask, bodyOf, failed, type Refused, TryAgain } from "./ServerRequests.ts"
import type { UploadMemory } from "./UploadMemory.ts"

export interface PushPlan {
  readonly model: ModelName
  /** The version's first alias is set with it; it is held against the file before there is a version. */
  readonly alias: AliasName | null
  /** Moves aliases even if their callers may fail with the file. */
  readonly force: boolean
  readonly description: string | null
}

/** Of one request: proxies that collect a body before they pass it on, or limit it, take this much. */
const defaultPieceBytes = 32 * 1024 * 1024

/** As often as an upload may be unknown before somebody else must be answering. */
const maxBeginnings = 3

const protocol = { "tus-resumable": "1.0.0" }

const Offset = Schema.Struct({ "upload-offset": Schema.NumberFromString.check(Schema.isInt()) })

export interface TransferOptions {
  readonly file: ModelFile
  readonly plan: PushPlan
  readonly ask: Ask
  readonly memory: UploadMemory
  readonly progress: Progress
  readonly progressed: Persistence["progressed"]
  /** Of one request. Default: 32 MiB. */
  readonly pieceBytes?: number
}

/** One attempt, from wherever the one before came to. Fails with `TryAgain` where another may come further. */
export const makeTransfer = (options: TransferOptions) => {
  const { file, plan, ask, memory, progress, progressed, pieceBytes = defaultPieceBytes } = options
  const collection = `/v1/models/${plan.model}/uploads`
  let reached = -1
  let beginnings = 0
  let idempotencyKey = randomUUID()

  /** It goes on when there is more than before, or when the server is at work on the whole. */
  const note = ({ offset, state }: Pick<UploadResource, "offset" | "state">) => {
    if (offset > reached || state === "finishing") progressed()
    reached = Math.max(reached, offset)
    progress.reached(offset)
  }

  const begin = Effect.gen(function* () {
    if (beginnings++ === maxBeginnings)
      return yield* new CommandFailed({
        detail:
          "The server does not know the upload that was begun with it: where several servers answer at one address, each client has to be sent to one of them",
      })
    const query = new URLSearchParams({ create: "true", digest: file.digest })
    if (plan.alias !== null) query.set("alias", plan.alias)
    if (plan.force) query.set("force", "true")
    if (plan.description !== null) query.set("description", plan.description)
    const session = yield* ask("POST", `${collection}?${query}`, {
      // An answer that is lost leaves no second upload behind.
      headers: { ...protocol, "upload-length": String(file.size), "idempotency-key": idempotencyKey },
    }).pipe(Effect.catchTag("Refused", failed), Effect.flatMap(bodyOf(UploadResource)))
    idempotencyKey = randomUUID()
    yield* memory.remember(session.id)
    return session
  })

  const goOn = Effect.fnUntraced(function* (id: UploadId) {
    return yield* bodyOf(UploadResource)(yield* ask("GET", `${collection}/${id}`, { headers: protocol }))
  })

  const append = Effect.fnUntraced(function* (id: UploadId, offset: number) {
    const length = Math.min(pieceBytes, file.size - offset)
    const isLast = offset + length === file.size
    const bytes = Stream.tap(file.bytes(offset, length), (chunk) =>
      Effect.sync(() => progress.sent(chunk.length)),
    )
    const answer = yield* ask("PATCH", `${collection}/${id}`, {
      headers: { ...protocol, "upload-offset": String(offset) },
      body: { bytes: length === 0 ? Stream.empty : bytes, length, type: uploadPieceType },
      tries: isLast,
    })
    if (answer.status === 201) return { version: yield* bodyOf(VersionResource)(answer) }
    const headers = yield* Effect.orDie(Schema.decodeUnknownEffect(Offset)(answer.headers))
    return { offset: headers["upload-offset"] }
  })

  const send = Effect.fnUntraced(function* (session: UploadResource) {
    note(session)
    for (let offset = session.offset; ; ) {
      const answer = yield* append(session.id, offset)
      if (answer.version !== undefined) return answer.version
      if (answer.offset <= offset)
        return yield* new TryAgain({ detail: "The server kept nothing of what was sent", answered: true })
      offset = answer.offset
      note({ offset, state: "receiving" })
    }
  })

  /** What the server says of an upload that it was asked to go on with. */
  const judge = Effect.fnUntraced(function* (refused: Refused) {
    // With another key it may go on.
    if (refused.status === 401 || refused.status === 403) return yield* failed(refused)
    yield* memory.forget
    if (refused.status !== 404 || refused.name === "") return yield* failed(refused)
    return yield* new TryAgain({
      detail: "The server has forgotten the upload that was begun, so it begins anew",
      answered: true,
      afterMs: 0,
    })
  })

  return Effect.gen(function* () {
    const known = yield* memory.recall
    const session = Option.isSome(known) ? yield* goOn(known.value) : yield* begin
    const version = yield* send(session)
    yield* memory.forget
    if (version.digest !== file.digest)
      return yield* new CommandFailed({
        detail: `Version ${version.version} of model "${plan.model}" has other bytes than the file: it is from another upload`,
      })
    return version
  }).pipe(Effect.catchTag("Refused", judge))
}
