/** What operations ask of their callers, in the OpenAPI document. */
import { type Permission, requirements } from "@modelforge/core/model"
import * as Context from "effect/Context"
import * as HttpApi from "effect/http-api/HttpApi"
import type * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import { Permitted } from "./Permitted.ts"

const object = (value: unknown) => value as Record<string, unknown>

/** One alternative for each scope that a key may have for it, and one without a key where people need none. */
const alternatives = (permission: Permission) => {
  const { scopes, role } = requirements[permission]
  const keys = scopes.flatMap((scope) => [{ bearer: [scope] }, { apiKey: [scope] }])
  return role === undefined && scopes.length > 0 ? [{}, ...keys] : keys
}

/** The document with what each operation asks of its caller. */
export const withSecurity = <Groups extends HttpApiGroup.Constraint>(
  document: Record<string, unknown>,
  api: HttpApi.HttpApi<string, Groups>,
): Record<string, unknown> => {
  const paths = object(document["paths"])
  HttpApi.reflect(api, {
    onGroup: () => {},
    onEndpoint: ({ endpoint, mergedAnnotations }) => {
      const permission = Context.getOrUndefined(mergedAnnotations, Permitted)
      const path = object(paths[endpoint.path.replaceAll(/:(\w+)/g, "{$1}")])
      if (permission !== undefined)
        object(path[endpoint.method.toLowerCase()])["security"] = alternatives(permission)
    },
  })
  return document
}
