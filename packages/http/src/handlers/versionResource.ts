/** A version as `/v1` shows it: with what this server has in memory of it. */
import type { VersionResource } from "@modelforge/api"
import { type LoadedModels, routeIdOf, type Version } from "@modelforge/core"

export const versionResource =
  (loaded: LoadedModels["Service"]) =>
  (version: Version): VersionResource => ({ ...version, serving: loaded.serving(routeIdOf(version)) })
