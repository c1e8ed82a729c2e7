/** Whether this server can take work, as `/readyz` and V2's health tell it. Set by whoever runs the server. */
import type { Readiness } from "@modelforge/api"
import { Context, Effect, Layer, Ref } from "effect"

const starting: Readiness = { ready: false, state: "starting", waitingFor: ["the server to start"] }

export class ServerReadiness extends Context.Service<
  ServerReadiness,
  {
    readonly get: Effect.Effect<Readiness>
    /** It is starting, and waits for these, in words for people. */
    readonly waitFor: (what: ReadonlyArray<string>) => Effect.Effect<void>
    /** From now on the server takes work. */
    readonly ready: Effect.Effect<void>
    /** From now on balancers should send no more; what comes all the same is still answered. */
    readonly draining: Effect.Effect<void>
  }
>()("@modelforge/http/ServerReadiness") {
  static readonly layer = Layer.effect(
    this,
    Effect.gen(function* () {
      const ref = yield* Ref.make<Readiness>(starting)
      const become = (readiness: Readiness) => Ref.set(ref, readiness)
      return {
        get: Ref.get(ref),
        waitFor: (waitingFor) => become({ ready: false, state: "starting", waitingFor }),
        ready: become({ ready: true, state: "ready", waitingFor: [] }),
        draining: become({ ready: false, state: "draining", waitingFor: ["the server is stopping"] }),
      }
    }),
  )
}
