/** A file that arrives in pieces, over any number of requests. */
import { Schema } from "effect"

/** A random UUID, chosen by the server; whoever knows it and may upload can go on with it. */
export const UploadId = Schema.String.check(
  Schema.isPattern(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, { message: "an upload's id is a UUID" }),
).pipe(Schema.brand("UploadId"))
export type UploadId = typeof UploadId.Type

/** `receiving → finishing → finished | refused`: bytes are missing; they are tried; they are a version; they are none. */
export const UploadState = Schema.Literals(["receiving", "finishing", "finished", "refused"])
export type UploadState = typeof UploadState.Type
