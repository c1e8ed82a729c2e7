/** `modelforge serve`: the engine behind a standalone server, from settings to the last signal. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { ApiKeys, Authentication, LoadedModels } from "@modelforge/core"
import { wineInputs } from "@modelforge/example-models"
import { DataPlane, Guard, layerProtection, ServerReadiness, ServerVersion } from "@modelforge/http"
import { layerBodyThreads } from "@modelforge/http/node"
import { ForgeServer, type Listen } from "@modelforge/server"
import { Console, Duration, Effect, Fiber, Layer, Ref, Schema } from "effect"
import { openDoor } from "./DataFolder.ts"
import { DatabaseWatch, layerEngine } from "./Engine.ts"
import { registerExamples } from "./examples.ts"
import type { ServeSettings } from "./ServeSettings.ts"
import { layerSecretKey } from "./secretKeyFile.ts"
import { type StopSignal, stopSignal } from "./stopSignal.ts"

/** Something the server can't go on without is gone. */
class ServerLost extends Schema.TaggedError<ServerLost>()("ServerLost", { detail: Schema.String }) {
  override get message() {
    return this.detail
  }
}

/** Others could reach the server, and it knows nobody yet. */
class FirstKeyMissing extends Schema.TaggedError<FirstKeyMissing>()("FirstKeyMissing", {
  command: Schema.String,
}) {
  override get message() {
    return (
      "There is no key yet, and without one a server listens on this machine only (--host 127.0.0.1) and not in production. " +
      `Make one with "${this.command}", or set MODELFORGE_ADMIN_KEY to 32 random characters or more`
    )
  }
}

/** For the data that the server was started with. */
const firstKeyCommand = ({ databaseUrl, dataDirectory }: ServeSettings) =>
  `modelforge keys create --name admin --scope admin${
    databaseUrl !== undefined || dataDirectory === ".modelforge" ? "" : ` --data-dir ${dataDirectory}`
  }`

/** A server that others reach, or in production, asks everybody for a key: there has to be one. */
const requireKey = Effect.fnUntraced(function* (settings: ServeSettings) {
  const { adminKey } = settings
  if (adminKey !== undefined) yield* ApiKeys.use((keys) => keys.ensureAdmin(adminKey))
  const { closed } = yield* Authentication
  if (!settings.mayBeOpen && !closed()) yield* new FirstKeyMissing({ command: firstKeyCommand(settings) })
})

/** A prediction to paste into a terminal. */
const curlLine = (url: string) =>
  `curl -s ${url}/v1/models/wine/predict -H 'content-type: application/json' -d '${JSON.stringify({ inputs: wineInputs })}'`

/** A model that takes longer to load must not keep the others from being served. */
const preloadPatience = "2 minutes"

/** How an interrupted server treats requests under way: a person at a terminal does not wait for long. */
const drainSeconds: Readonly<Record<StopSignal, number>> = { SIGINT: 1, SIGTERM: 30 }

/** Runs until its scope closes, which drains it; completes only when the server is lost. */
const run = Effect.fnUntraced(function* (settings: ServeSettings, stoppedBy: Ref.Ref<StopSignal>) {
  const embedded = settings.databaseUrl === undefined
  const models = yield* LoadedModels
  yield* requireKey(settings)
  if (settings.examples) yield* registerExamples
  const tcp: Listen = { host: settings.host, port: settings.port }
  const listen: ReadonlyArray<Listen> = embedded
    ? [tcp, { socketPath: yield* openDoor(settings.dataDirectory) }]
    : [tcp]
  const server = yield* Layer.build(
    ForgeServer.layer({
      listen,
      prepare: {
        what: "its models to load",
        work: Effect.asVoid(Effect.timeoutOption(models.preloaded, preloadPatience)),
      },
      drainTimeout: Effect.map(Ref.get(stoppedBy), (signal) => `${drainSeconds[signal]} seconds` as const),
    }),
  )
  const { ports } = yield* ForgeServer.pipe(Effect.provide(server))
  const host = settings.host.includes(":") ? `[${settings.host}]` : settings.host
  const url = `http://${host}:${ports[0]}`
  yield* Console.log(`ready ${url}`)
  if (settings.examples) yield* Console.log(`Try: ${curlLine(url)}`)
  const { lost } = yield* DatabaseWatch
  return yield* Effect.flatMap(lost, (detail) => Effect.fail(new ServerLost({ detail })))
}, Effect.scoped)

const layer = (settings: ServeSettings, version: string) =>
  Layer.merge(
    Layer.provide(DataPlane.layer, layerBodyThreads()),
    Guard.layer({ open: settings.mayBeOpen }),
  ).pipe(
    // After the engine, which makes sure that the data folder is ours.
    Layer.merge(layerSecretKey(settings)),
    Layer.provideMerge(
      layerEngine({
        dataDirectory: settings.dataDirectory,
        databaseUrl: settings.databaseUrl,
        artifacts: settings.artifacts,
        artifactCacheBytes: settings.artifactCacheBytes,
        dashboardPublicKey: settings.dashboardPublicKey,
        redisUrl: settings.network.redisUrl,
        settings: {
          maxArtifactBytes: settings.maxArtifactBytes,
          maxUploadsBytes: settings.maxUploadsBytes,
          uploadExpiry: Duration.hours(settings.uploadExpiryHours),
          maxRequestBytes: settings.maxRequestBytes,
          rateLimit: settings.network.rateLimit,
          ...(settings.modelMemoryBytes === undefined ? {} : { modelMemoryBytes: settings.modelMemoryBytes }),
        },
        runnerMemoryBytes: settings.runnerMemoryBytes,
      }),
    ),
    Layer.provideMerge(NodeServices.layer),
    Layer.merge(Layer.succeed(ServerVersion, version)),
    Layer.merge(layerProtection(settings.network.protection)),
  )

/**
 * Serves until a signal. SIGTERM: `/readyz` says 503 for the grace period while all goes on, then what runs finishes.
 * SIGINT: the same without the grace period.
 */
export const serve = Effect.fn("serve")(function* (
  settings: ServeSettings,
  options: { readonly version: string; readonly onSecondSignal: (signal: StopSignal) => void },
) {
  const readiness = yield* ServerReadiness
  const stoppedBy = yield* Ref.make<StopSignal>("SIGTERM")
  const server = yield* run(settings, stoppedBy).pipe(
    Effect.provide(layer(settings, options.version)),
    Effect.forkChild,
  )
  const signal = yield* Effect.raceFirst(stopSignal(options.onSecondSignal), Fiber.join(server))
  yield* Ref.set(stoppedBy, signal)
  yield* Effect.logInfo(`${signal}: finishing what runs`)
  if (signal === "SIGTERM" && (yield* readiness.get).state === "ready") {
    yield* readiness.draining
    yield* Effect.sleep(`${settings.graceSeconds} seconds`)
  }
  yield* Fiber.interrupt(server)
}, Effect.provide(ServerReadiness.layer))
