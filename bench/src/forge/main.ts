/** ModelForge as `modelforge serve` puts it together, with the execution to choose. */
import { NodeServices } from "@effect/platform-node"
import { ApiKeys, SecretKey } from "@modelforge/core"
import { DataPlane, Guard, ServerReadiness, ServerVersion } from "@modelforge/http"
import { countBuffersWithHeap, layerBodyThreads } from "@modelforge/http/node"
import { ForgeServer } from "@modelforge/server"
import { Effect, Fiber, Layer, Logger, Redacted, Schema } from "effect"
import { layerEngine } from "modelforge"
import { benchKey } from "../benchKey.ts"
import { serveJobs } from "../serveJobs.ts"
import { ForgeOptions } from "./ForgeOptions.ts"

const { guarded = false, ...options } = Schema.decodeUnknownSync(Schema.fromJsonString(ForgeOptions))(
  process.argv[2],
)

countBuffersWithHeap()

const layerKey = Layer.effectDiscard(
  guarded ? ApiKeys.use(({ ensureAdmin }) => ensureAdmin(Redacted.make(benchKey))) : Effect.void,
)
/** Never reached, but counted. */
const rateLimit = { requests: 1_000_000_000, seconds: 60 }

const layer = ForgeServer.layer({ listen: [{ host: "127.0.0.1", port: 0 }] }).pipe(
  Layer.merge(layerKey),
  Layer.provide([DataPlane.layer, Guard.layer({ open: true })]),
  Layer.provide(layerBodyThreads()),
  Layer.provide(SecretKey.layer(Redacted.make("nothing is signed in a benchmark"))),
  Layer.provide(layerEngine({ ...options, ...(guarded ? { settings: { rateLimit } } : {}) })),
  Layer.provide(ServerReadiness.layer),
  Layer.provide(Layer.succeed(ServerVersion, "bench")),
  Layer.provide(NodeServices.layer),
)

const program = Effect.gen(function* () {
  const { ports } = yield* ForgeServer
  serveJobs({ port: ports[0] }, () => Promise.resolve(undefined), stop)
  return yield* Effect.never
}).pipe(Effect.provide(layer), Effect.provideService(Logger.LogToStderr, true))

const server = Effect.runFork(program)
const stop = () => void Effect.runPromise(Fiber.interrupt(server))
server.addObserver((exit) => {
  if (exit._tag === "Failure" && process.connected) console.error(exit.cause)
  process.exit(process.connected ? 1 : 0)
})
