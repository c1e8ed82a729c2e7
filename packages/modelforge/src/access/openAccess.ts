/** Where commands find keys and users: at a URL, else at the server that has the data folder, else in the database. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { layerAccess } from "@modelforge/core"
import { layerEmbedded, layer as layerPostgres } from "@modelforge/postgres"
import { Config, Effect, Layer, Option, type Redacted } from "effect"
import { Flag } from "effect/cli"
import { findDoor } from "../DataFolder.ts"
import { AccessAdmin, CommandFailed } from "./AccessAdmin.ts"
import { layerRemoteAccess } from "./remoteAccess.ts"

/** Flags of every command here. */
export const accessFlags = {
  url: Flag.String("url").pipe(
    Flag.withFallbackConfig(Config.NonEmptyString("MODELFORGE_URL")),
    Flag.withDescription(
      "A server that runs, asked with the key in MODELFORGE_API_KEY. Default: the one that has the data folder, else the data itself (environment: MODELFORGE_URL)",
    ),
    Flag.optional,
  ),
  dataDir: Flag.String("data-dir").pipe(
    Flag.withFallbackConfig(Config.NonEmptyString("MODELFORGE_DATA_DIR")),
    Flag.withDescription("Folder of the data. Default: .modelforge (environment: MODELFORGE_DATA_DIR)"),
    Flag.withDefault(".modelforge"),
  ),
  databaseUrl: Flag.Redacted("database-url").pipe(
    Flag.withFallbackConfig(Config.Redacted("DATABASE_URL")),
    Flag.withDescription(
      "PostgreSQL that the server uses, where it is not its own (environment: DATABASE_URL)",
    ),
    Flag.optional,
  ),
  json: Flag.Boolean("json").pipe(Flag.withDescription("Print JSON"), Flag.withDefault(false)),
}

export interface AccessFlags {
  readonly url: Option.Option<string>
  readonly dataDir: string
  readonly databaseUrl: Option.Option<Redacted.Redacted>
}

const apiKey = Config.option(Config.Redacted("MODELFORGE_API_KEY"))

const layerStores = ({ dataDir, databaseUrl }: AccessFlags) =>
  Option.isSome(databaseUrl)
    ? layerPostgres({ url: databaseUrl.value })
    : layerEmbedded({ dataDirectory: `${dataDir}/postgres` })

/** Only what keys and users need: no model is loaded, nothing listens. */
const layerOwn = (flags: AccessFlags) =>
  AccessAdmin.layer.pipe(
    Layer.provide(layerAccess()),
    Layer.provide(layerStores(flags)),
    Layer.provide(NodeServices.layer),
  )

export const layerAccessAdmin = (flags: AccessFlags) =>
  Layer.unwrap(
    Effect.gen(function* () {
      if (Option.isSome(flags.url)) {
        const url = flags.url.value
        if (!URL.canParse(url) || !/^https?:/.test(url))
          return yield* new CommandFailed({
            detail: `--url: "${url}" is not a URL like http://127.0.0.1:8080`,
          })
        return layerRemoteAccess({ url, key: Option.getOrUndefined(yield* apiKey) })
      }
      if (Option.isSome(flags.databaseUrl)) return layerOwn(flags)
      const socketPath = yield* findDoor(flags.dataDir)
      return Option.isSome(socketPath)
        ? layerRemoteAccess({ url: "http://localhost", socketPath: socketPath.value })
        : layerOwn(flags)
    }),
  )
