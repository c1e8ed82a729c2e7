/** How a request is answered that may not be made. */
import { ForbiddenProblem, UnauthorizedProblem } from "@modelforge/api"
import {
  CredentialsMissing,
  type CredentialsRefused,
  type Identity,
  type Permission,
  requirements,
} from "@modelforge/core"
import type { DataPlaneResponse } from "../dataplane/response/response.ts"
import type { Problem } from "../problems.ts"

/** V2 has its own body for failures, on every spelling of its paths. */
const isV2 = (target: string) => /^(?:https?:\/\/[^/]*)?\/+v2(?:[/?;#]|$)/i.test(target)

/** In the words of the plane that the target is of. */
export const refusal = (target: string, problem: Problem, headers: Readonly<Record<string, string>> = {}) => {
  const v2 = isV2(target)
  return {
    status: problem.status,
    headers: { "content-type": v2 ? "application/json" : "application/problem+json", ...headers },
    body: JSON.stringify(v2 ? { error: problem.message } : problem),
  } satisfies DataPlaneResponse
}

/** As RFC 6750 wants it: the code only where something was sent. */
const challenge = { "www-authenticate": 'Bearer realm="modelforge"' }
const challengeRefused = { "www-authenticate": 'Bearer realm="modelforge", error="invalid_token"' }

const missing = new CredentialsMissing()

export const refuseAnonymous = (target: string): DataPlaneResponse =>
  refusal(target, new UnauthorizedProblem({ detail: missing.message }), challenge)

export const refuseCredentials = (target: string, { message }: CredentialsRefused): DataPlaneResponse =>
  refusal(target, new UnauthorizedProblem({ detail: message }), challengeRefused)

export const refuseArrival = (target: string, detail: string): DataPlaneResponse =>
  refusal(target, new ForbiddenProblem({ detail }))

const quoted = (names: ReadonlyArray<string>) => names.map((name) => `"${name}"`).join(" or ")

/** Says what the caller would need. */
export const refusePermission = (
  target: string,
  identity: Identity,
  permission: Permission,
): DataPlaneResponse => {
  const { scopes, role } = requirements[permission]
  return refusal(
    target,
    identity._tag === "User"
      ? new ForbiddenProblem({
          detail: `This asks for the role ${quoted([role ?? "admin"])}, and yours is "${identity.user.role}"`,
          ...(role === undefined ? {} : { role }),
        })
      : new ForbiddenProblem({ detail: `This asks for a key with the scope ${quoted(scopes)}`, scopes }),
  )
}

export const modelForbidden = (model: string) =>
  new ForbiddenProblem({ detail: `The key is not for the model "${model}"`, model })

export const refuseModel = (target: string, model: string): DataPlaneResponse =>
  refusal(target, modelForbidden(model))

export const refuseLimited = (target: string): DataPlaneResponse =>
  refusal(
    target,
    new ForbiddenProblem({
      detail: "A key that is for some models only can't manage keys, users and the like",
    }),
  )
