/** What the tests of resumable uploads have in common. */
import { readdir } from "node:fs/promises"
import { Deferred, Effect, Stream } from "effect"
import { UploadInterrupted } from "../../src/registry/RegistryError.ts"
import {
  type UploadDraft,
  type UploadPiece,
  type UploadSession,
  UploadSessions,
} from "../../src/uploads/UploadSessions.ts"
import { bytesOf, streamOf, type World } from "../fakes.ts"
import { model } from "../registry/uploading.ts"

/** Begins an upload of so many bytes, or of this file. */
export const begin = (file: string | number, fields: Partial<UploadDraft> = {}) =>
  UploadSessions.use((sessions) =>
    sessions.create({
      model,
      size: typeof file === "string" ? bytesOf(file).length : file,
      createModel: true,
      ...fields,
    }),
  )

export const send = (
  { id }: Pick<UploadSession, "id">,
  offset: number,
  content: string | UploadPiece["bytes"],
  fields: Partial<UploadPiece> = {},
) =>
  UploadSessions.use((sessions) =>
    sessions.append(model, id, {
      offset,
      bytes: typeof content === "string" ? streamOf(content) : content,
      ...fields,
    }),
  )

export const look = ({ id }: Pick<UploadSession, "id">) =>
  UploadSessions.use((sessions) => sessions.find(model, id))

export const abort = ({ id }: Pick<UploadSession, "id">) =>
  UploadSessions.use((sessions) => sessions.abort(model, id))

/** Bytes, and then nothing for ever; `silent` tells when they were taken. */
export const thenSilence = (content: string, silent: Deferred.Deferred<void>) =>
  Stream.concat(
    streamOf(content),
    Stream.fromEffect(Effect.andThen(Deferred.succeed(silent, undefined), Effect.never)),
  )

export const thenBroken = (content: string) =>
  Stream.concat(streamOf(content), Stream.fail(new UploadInterrupted({ detail: "the connection broke" })))

/** Names of the uploads that take room on the disk, and of the files of one. */
export const folders = ({ directory }: World) => Effect.promise(() => readdir(`${directory}/uploads`))
export const filesOf = ({ directory }: World, { id }: UploadSession) =>
  Effect.promise(async () => (await readdir(`${directory}/uploads/${id}`)).sort())

/** Asks again until it is so; other fibers get on meanwhile. */
export const eventually = <E, R>(holds: Effect.Effect<boolean, E, R>) =>
  Effect.repeat(Effect.andThen(Effect.yieldNow, holds), { until: (held) => held })
