/** How a request is answered that may not be made. */
import { ForbiddenProblem, UnauthorizedProblem } from "@modelforge/api"
import {
  CredentialsMissing,
  CredentialsRefused,
  type Identity,
  type Permission,
  requirements,
} from "@modelforge/core"
import type { DataPlaneResponse } from "../dataplane/response/response.ts"
import type { Problem } from "../problems.ts"

/** V2 has its own body for failures, on every spelling of its paths. */
const isV2 = (target: string) => /^(?:https?:\/\/[^/]*)?\/+v2(?:[/?;#]|$)/i.test(target)

/** A short text. */
interface Refusal extends DataPlaneResponse {
  readonly body: string
}

const v1Answer = (problem: Problem, headers: Readonly<Record<string, string>> = {}): Refusal => ({
  status: problem.status,
  headers: { "content-type": "application/problem+json", ...headers },
  body: JSON.stringify(problem),
})

const v2Answer = (problem: Problem, headers: Readonly<Record<string, string>> = {}): Refusal => ({
  status: problem.status,
  headers: { "content-type": "application/json", ...headers },
  body: JSON.stringify({ error: problem.message }),
})

/** In the words of the plane that the target is of. */
export const refusal = (
  target: string,
  problem: Problem,
  headers?: Readonly<Record<string, string>>,
): Refusal => (isV2(target) ? v2Answer(problem, headers) : v1Answer(problem, headers))

/** Made once: those who are not known come in storms, and are all told the same. */
const always = (problem: Problem, challenge: string) => {
  const headers = { "www-authenticate": challenge }
  const answers = { v1: v1Answer(problem, headers), v2: v2Answer(problem, headers) }
  return (target: string): DataPlaneResponse => (isV2(target) ? answers.v2 : answers.v1)
}

const unauthorized = ({ message }: Error) => new UnauthorizedProblem({ detail: message })

export const refuseAnonymous = always(unauthorized(new CredentialsMissing()), 'Bearer realm="modelforge"')

/** As RFC 6750 wants it: the code only where something was sent. Why it is not valid, nobody is told. */
export const refuseCredentials = always(
  unauthorized(new CredentialsRefused({ why: "unknown" })),
  'Bearer realm="modelforge", error="invalid_token"',
)

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
