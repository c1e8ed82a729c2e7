/** Where commands find keys and users: at a URL, else at the server that has the data folder, else in the database. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { layerAccess } from "@modelforge/core"
import { layerEmbedded, layer as layerPostgres } from "@modelforge/postgres"
import { Config, Effect, Layer, Option, type Redacted } from "effect"
import { Flag } from "effect/cli"
import { findServer, type ServerFlags, serverFlags } from "../command/ServerAddress.ts"
import { AccessAdmin } from "./AccessAdmin.ts"
import { layerRemoteAccess } from "./remoteAccess.ts"

/** Flags of every command here. */
export const accessFlags = {
  ...serverFlags("the one that has the data folder, else the data itself"),
  databaseUrl: Flag.Redacted("database-url").pipe(
    Flag.withFallbackConfig(Config.Redacted("DATABASE_URL")),
    Flag.withDescription(
      "PostgreSQL that the server uses, where it is not its own (environment: DATABASE_URL)",
    ),
    Flag.optional,
  ),
  json: Flag.Boolean("json").pipe(Flag.withDescription("Print JSON"), Flag.withDefault(false)),
}

export interface AccessFlags extends ServerFlags {
  readonly databaseUrl: Option.Option<Redacted.Redacted>
}

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
      // A database that is named is meant, unless a server is named too.
      if (Option.isSome(flags.databaseUrl) && Option.isNone(flags.url)) return layerOwn(flags)
      return Option.match(yield* findServer(flags), {
        onNone: () => layerOwn(flags),
        onSome: layerRemoteAccess,
      })
    }),
  )
