/** The secret that a server with an embedded database makes for itself, and keeps in its data folder. */
import { randomBytes } from "node:crypto"
import { minSecretBytes, SecretKey } from "@modelforge/core"
import { Effect, FileSystem, Layer, Path, Redacted, Schema } from "effect"
import type { ServeSettings } from "./ServeSettings.ts"

export class UnusableSecret extends Schema.TaggedError<UnusableSecret>()("UnusableSecret", {
  file: Schema.String,
  detail: Schema.String,
}) {
  override get message() {
    return `The secret in ${this.file} can't be used: ${this.detail}. Set SECRET_KEY, or delete the file to have another one made; then cursors of before are refused`
  }
}

const fileName = "secret.key"

/** Written under another name first: a server that is killed leaves a whole secret or none. */
const makeSecret = Effect.fnUntraced(function* (file: string) {
  const fs = yield* FileSystem.FileSystem
  const secret = randomBytes(48).toString("base64url")
  yield* fs.remove(`${file}.new`, { force: true })
  yield* fs.writeFileString(`${file}.new`, secret, { mode: 0o600 })
  yield* fs.rename(`${file}.new`, file)
  return secret
})

const keptSecret = Effect.fn("keptSecret")(function* (dataDirectory: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const file = path.join(dataDirectory, fileName)
  const refuse = (detail: string) => Effect.fail(new UnusableSecret({ file, detail }))
  const secret = yield* fs.exists(file).pipe(
    Effect.flatMap((exists) => (exists ? fs.readFileString(file) : makeSecret(file))),
    Effect.catch(({ message }) => refuse(message)),
  )
  const isLong = new TextEncoder().encode(secret.trim()).length >= minSecretBytes
  return isLong ? secret.trim() : yield* refuse(`it has less than ${minSecretBytes} bytes`)
})

/** The secret of the settings, else the kept one. The data folder has to be there, and ours. */
export const layerSecretKey = ({
  dataDirectory,
  secretKey,
}: Pick<ServeSettings, "dataDirectory" | "secretKey">): Layer.Layer<
  SecretKey,
  UnusableSecret,
  FileSystem.FileSystem | Path.Path
> =>
  secretKey === undefined
    ? Layer.unwrap(Effect.map(keptSecret(dataDirectory), (secret) => SecretKey.layer(Redacted.make(secret))))
    : SecretKey.layer(secretKey)
