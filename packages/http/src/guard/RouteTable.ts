/**
 * What each route asks of its caller. Found by the router's own matcher, with the router's own options, so that the two
 * can't read a path differently.
 */
import { Permitted } from "@modelforge/api"
import type { Permission } from "@modelforge/core"
import { Context, Data } from "effect"
import { FindMyWay } from "effect/http"
import { HttpApi, type HttpApiGroup } from "effect/http-api"
import { docsPath, openapiPath } from "../requestProblems.ts"

/** A route as it was asked for. */
export interface Asked {
  readonly permission: Permission
  /** The model in the path, where it has one. */
  readonly model: string | undefined
}

/** An endpoint that says nothing of who may use it: a mistake of ours, found when a server starts. */
class PermissionMissing extends Data.Error<{ readonly message: string }> {}

export interface RouteTable {
  /** `target` as the router gets it; undefined where it has no such route. */
  readonly find: (method: string, target: string) => Asked | undefined
}

export const makeRouteTable = <Groups extends HttpApiGroup.Constraint>(
  api: HttpApi.HttpApi<string, Groups>,
  config: Partial<FindMyWay.RouterConfig>,
): RouteTable => {
  const routes = FindMyWay.make<Permission>(config)
  const add = (method: string, path: string, permission: Permission | undefined) => {
    if (permission === undefined)
      throw new PermissionMissing({
        message: `${method} ${path} says nothing of who may use it: annotate it with Permitted`,
      })
    routes.on(method, path as FindMyWay.PathInput, permission)
  }
  HttpApi.reflect(api, {
    onGroup: () => {},
    onEndpoint: ({ endpoint, mergedAnnotations }) =>
      add(endpoint.method, endpoint.path, Context.getOrUndefined(mergedAnnotations, Permitted)),
  })
  for (const path of [openapiPath, docsPath]) add("GET", path, "read")

  return {
    find: (method, target) => {
      // The router answers HEAD wherever it answers GET.
      const found =
        routes.find(method, target) ?? (method === "HEAD" ? routes.find("GET", target) : undefined)
      return found && { permission: found.handler, model: found.params["model"] }
    },
  }
}
