/** Whether this server can take work, as `/readyz` and V2's health tell it. Set by whoever runs the server. */
import type { Readiness } from "@modelforge/api"
import { Context, Effect, Layer, Ref } from "effect"

const starting: Readiness = { ready: false, state: "starting", waitingFor: ["the server to start"] }

export class ServerReadiness extends Context.Service<
  ServerReadiness,
  {
    readonly get: Effect.Effect<Readiness>
    /** From now on the server takes work. */
    readonly ready: Effect.Effect<void>
    /** From now on balancers should send no more; what comes all the same is still answered. */
    readonly draining: Effect.Effect<void>
  }
>()("@modelforge/http/ServerReadiness") {
  static readonly layer = Layer.effect(
    this,
    Effect.map(Ref.make(starting), (ref) => ({
      get: Ref.get(ref),
      ready: Ref.set(ref, { ready: true, state: "ready", waitingFor: [] }),
      draining: Ref.set(ref, { ready: false, state: "draining", waitingFor: ["the server is stopping"] }),
    })),
  )
}
