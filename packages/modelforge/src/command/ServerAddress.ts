/** The running server that a command asks: the one at a URL, else the one that has the data folder, by its Unix socket. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Config, Effect, Layer, Option, Predicate, type Redacted } from "effect"
import { Flag } from "effect/cli"
import { HttpClient, type HttpClientError, HttpClientRequest } from "effect/http"
import { findDoor } from "../DataFolder.ts"
import { CommandFailed } from "./CommandFailed.ts"

export interface ServerAddress {
  /** Where the server is mounted. */
  readonly url: string
  /** What it is asked with. Default: nothing, as for a server that is open. */
  readonly key?: Redacted.Redacted | undefined
  /** The Unix socket of its data folder, in the place of the URL's host. */
  readonly socketPath?: string | undefined
}

export interface ServerFlags {
  readonly url: Option.Option<string>
  readonly dataDir: string
}

/** How the server is told; `otherwise` says who is asked when no URL is given. */
export const serverFlags = (otherwise: string) => ({
  url: Flag.String("url").pipe(
    Flag.withFallbackConfig(Config.NonEmptyString("MODELFORGE_URL")),
    Flag.withDescription(
      `A server that runs, asked with the key in MODELFORGE_API_KEY. Default: ${otherwise} (environment: MODELFORGE_URL)`,
    ),
    Flag.optional,
  ),
  dataDir: Flag.String("data-dir").pipe(
    Flag.withFallbackConfig(Config.NonEmptyString("MODELFORGE_DATA_DIR")),
    Flag.withDescription("Folder of the data. Default: .modelforge (environment: MODELFORGE_DATA_DIR)"),
    Flag.withDefault(".modelforge"),
  ),
})

const apiKey = Config.option(Config.Redacted("MODELFORGE_API_KEY"))

/** None when no URL is given and no server has the data folder. Fails when the URL is none. */
export const findServer = Effect.fn("findServer")(function* (flags: ServerFlags) {
  if (Option.isNone(flags.url))
    return Option.map(
      yield* findDoor(flags.dataDir),
      (socketPath): ServerAddress => ({ url: "http://localhost", socketPath }),
    )
  const url = flags.url.value
  if (!URL.canParse(url) || !/^https?:/.test(url))
    return yield* new CommandFailed({
      detail: `--url: "${url}" is not a URL like http://127.0.0.1:8080`,
    })
  return Option.some<ServerAddress>({ url, key: Option.getOrUndefined(yield* apiKey) })
})

/** Requests to paths of the server's API, with the key. */
export const layerServerClient = ({ url, key, socketPath }: ServerAddress) =>
  Layer.effect(
    HttpClient.HttpClient,
    Effect.map(
      HttpClient.HttpClient,
      HttpClient.mapRequest((request) => {
        const addressed = HttpClientRequest.prependUrl(request, url)
        return key === undefined ? addressed : HttpClientRequest.bearerToken(addressed, key)
      }),
    ),
  ).pipe(Layer.provide(NodeHttpClient.layerNodeHttpOptions(socketPath === undefined ? {} : { socketPath })))

/** Node's own words, where it has some: of an address that both families were tried for it has only a code. */
const reasonOf = ({ reason }: HttpClientError.HttpClientError) => {
  const { cause } = reason
  const code = Predicate.hasProperty(cause, "code") ? String(cause.code) : ""
  const words = (cause instanceof Error ? cause.message : "") || code
  return words === "" ? "" : ` (${words})`
}

export const noAnswer = (url: string, error: HttpClientError.HttpClientError) =>
  `No server answers at ${url}${reasonOf(error)}`

export const lostConnection = (error: HttpClientError.HttpClientError) =>
  `The connection was lost${reasonOf(error)}`

export const strangeAnswer = (url: string, status: number) =>
  `${url} answered ${status}, which is not what a ModelForge server answers`
