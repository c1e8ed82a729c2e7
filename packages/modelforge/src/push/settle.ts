/** What is asked for beside the bytes: that the version is ready, further aliases, labels of the model. */
import { ModelResource, VersionResource } from "@modelforge/api"
import type { AliasName, ModelName } from "@modelforge/core"
import { Clock, Duration, Effect } from "effect"
import { CommandFailed } from "../command/CommandFailed.ts"
import { type Ask, bodyOf, TryAgain } from "./ServerRequests.ts"

const pollInterval = Duration.seconds(1)

/** A trial has a limit of its own, two minutes, and may begin anew on a server that was restarted. */
const trialPatienceMs = Duration.toMillis("10 minutes")

export const makeSettle = (ask: Ask, model: ModelName) => {
  const path = `/v1/models/${model}`

  /** Waits for the end of a trial that takes long. */
  const ready = Effect.fnUntraced(function* (made: VersionResource) {
    const name = `Version ${made.version} of model "${model}"`
    const begun = yield* Clock.currentTimeMillis
    let version = made
    while (version.state === "validating") {
      if ((yield* Clock.currentTimeMillis) - begun > trialPatienceMs)
        return yield* new CommandFailed({ detail: `${name} is made, but the server still tries it` })
      yield* Effect.sleep(pollInterval)
      version = yield* bodyOf(VersionResource)(yield* ask("GET", `${path}/versions/${made.version}`))
    }
    if (version.state === "invalid")
      return yield* new CommandFailed({
        detail: `${name} can't be served: ${version.reason ?? "its trial failed"}`,
      })
    return version
  })

  const point = (alias: AliasName, version: number, force: boolean) =>
    ask("PUT", `${path}/aliases/${alias}${force ? "?force=true" : ""}`, { json: { version } })

  /** Adds to the labels that are there, and to no others: the change is made to the model that was read. */
  const label = Effect.fnUntraced(function* (labels: Readonly<Record<string, string>>) {
    const known = yield* ask("GET", path)
    const present = yield* bodyOf(ModelResource)(known)
    const etag = known.headers["etag"]
    yield* ask("PATCH", path, {
      json: { labels: { ...present.labels, ...labels } },
      headers: etag === undefined ? {} : { "if-match": etag },
    }).pipe(
      Effect.catchIf(
        (error) => error._tag === "Refused" && error.status === 412,
        ({ message }) => Effect.fail(new TryAgain({ detail: message, answered: true })),
      ),
    )
  })

  return { ready, point, label }
}
