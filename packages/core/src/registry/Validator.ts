/** Decides whether a version can be served, by loading it apart from everything that serves. */
import { Context, Effect, Layer } from "effect"
import { ArtifactStore } from "../artifacts/ArtifactStore.ts"
import { ModelRuntime } from "../inference/ModelRuntime.ts"
import type { Signature } from "../model/Signature.ts"
import type { Version } from "../model/Version.ts"
import { RegistryStore, type Verdict } from "./RegistryStore.ts"
import { RoutingTable } from "./RoutingTable.ts"
import { untilItWorks } from "./untilItWorks.ts"

const unusable = (reason: string) => Effect.succeed<Verdict>({ state: "invalid", reason })

export class Validator extends Context.Service<
  Validator,
  {
    /** Tries a file until there is a verdict on the model itself; trouble with runners is waited out. */
    readonly judge: (file: string, signature: Signature) => Effect.Effect<Verdict>
    /** Records the verdict on a version that was committed as `validating`, and routes to it. */
    readonly settle: (version: Version, verdict: Effect.Effect<Verdict>) => Effect.Effect<void>
    /** Takes up what a server that stopped left `validating`. */
    readonly resume: Effect.Effect<void>
  }
>()("@modelforge/core/registry/Validator") {
  static readonly make = Effect.gen(function* () {
    const store = yield* RegistryStore
    const artifacts = yield* ArtifactStore
    const runtime = yield* ModelRuntime
    const routing = yield* RoutingTable

    const judge = Effect.fn("Validator.judge")(
      (file: string, signature: Signature): Effect.Effect<Verdict> =>
        runtime.trial(file, signature).pipe(
          Effect.as<Verdict>({ state: "ready" }),
          Effect.catchReason("RuntimeError", "LoadFailed", (reason) =>
            Effect.succeed<Verdict>({ state: "invalid", reason: reason.message }),
          ),
          Effect.tapError((error) =>
            Effect.logWarning("A trial could not be held and is tried again", error),
          ),
          Effect.retry(untilItWorks),
          Effect.orDie,
        ),
    )

    const settle = Effect.fn("Validator.settle")(
      function* (version: Version, verdict: Effect.Effect<Verdict>) {
        const reached = yield* verdict
        yield* store.settleVersion(version.model, version.version, reached).pipe(
          Effect.tapError((error) => Effect.logWarning("A verdict could not be recorded yet", error)),
          Effect.retry(untilItWorks),
          Effect.orDie,
        )
        yield* Effect.ignore(routing.refresh(version.model))
      },
      // Nobody waits for this any more, and the versions after this one must not suffer.
      Effect.catchDefect((defect) =>
        Effect.logError("A validation broke off and is taken up at the next start", defect),
      ),
    )

    const judgeStored = (version: Version): Effect.Effect<Verdict> =>
      artifacts.file(version.digest).pipe(
        Effect.flatMap((file) => judge(file, version.signature)),
        // The file stays until its trial has ended.
        Effect.scoped,
        Effect.catchReasons("ArtifactError", {
          ArtifactNotFound: () => unusable("Its artifact is missing: upload it again"),
          ArtifactCorrupt: () => unusable("Its artifact is damaged: delete this version and upload it again"),
        }),
        Effect.tapError((error) => Effect.logWarning("An artifact could not be read yet", error)),
        Effect.retry(untilItWorks),
        Effect.orDie,
      )

    const resume = store.listValidating.pipe(
      Effect.retry(untilItWorks),
      Effect.orDie,
      Effect.flatMap(
        Effect.forEach((version) => settle(version, judgeStored(version)), {
          concurrency: 2,
          discard: true,
        }),
      ),
    )

    return Validator.of({ judge, settle, resume })
  })

  static readonly layer = Layer.effect(this, this.make)
}
