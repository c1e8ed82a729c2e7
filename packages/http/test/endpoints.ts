/** Every path that is served, as the contract lists them. */
import { ForgeApi } from "@modelforge/api"
import { HttpApi } from "effect/http-api"

export interface Endpoint {
  readonly method: string
  /** With a model, a version and an alias in the place of parameters. */
  readonly path: string
}

const sample = (path: string) =>
  path
    .replace(":model", "digits")
    .replace(":version", "1")
    .replace(":alias", "production")
    .replace(":key", "aaaaaaaaaaaa")
    .replace(":user", "00000000-0000-4000-8000-000000000000")
    .replace(":upload", "00000000-0000-4000-8000-000000000000")

export const endpoints: ReadonlyArray<Endpoint> = (() => {
  const found: Array<Endpoint> = [
    { method: "GET", path: "/docs" },
    { method: "GET", path: "/openapi.json" },
  ]
  HttpApi.reflect(ForgeApi, {
    onGroup: () => {},
    onEndpoint: ({ endpoint }) => {
      const path = endpoint.path.replace(/(?<=.)\/$/, "")
      found.push({ method: endpoint.method, path: sample(path) })
    },
  })
  return found
})()

const methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const

/** Every path, with the methods it has and those it has not. */
export const paths = [...new Set(endpoints.map(({ path }) => path))].map((path) => {
  const allowed = endpoints.filter((endpoint) => endpoint.path === path).map(({ method }) => method)
  return { path, allowed, others: methods.filter((method) => !allowed.includes(method)) }
})
