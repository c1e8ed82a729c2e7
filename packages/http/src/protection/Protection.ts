/**
 * What every request passes on its way in, before anybody asks who it is from, and what every answer is given on its way
 * out. For every host and every path alike. Plain code: every prediction passes here.
 */
import { HeadersTooLargeProblem, MisdirectedProblem } from "@modelforge/api"
import type { IpRange } from "@modelforge/core"
import { Context, Layer } from "effect"
import { firstValue, type RequestHeaders, requestId } from "../dataplane/request/requestHead.ts"
import type { DataPlaneResponse } from "../dataplane/response/response.ts"
import { refusal } from "../guard/refusals.ts"
import type { Problem } from "../problems.ts"
import { type Client, clientOf, type ProxyHeader } from "./clientAddress.ts"
import { isOrigin, makeCors } from "./cors.ts"
import { targetProblem } from "./requestTarget.ts"
import { dataHeaders, documentHeaders, transportHeaders } from "./securityHeaders.ts"

export interface ProtectionOptions {
  /** Sites whose pages may call: exact origins. Default: none. */
  readonly corsOrigins?: ReadonlyArray<string> | undefined
  /** Proxies that say where requests come from. Default: none. */
  readonly trustedProxies?: ReadonlyArray<IpRange> | undefined
  /** The header in which they say it. Default: `x-forwarded-for`. */
  readonly proxyHeader?: ProxyHeader | undefined
  /** Names that `Host` may have, without a port. Default: any. Health is answered by any name. */
  readonly allowedHosts?: ReadonlyArray<string> | undefined
}

/** What is known of a request before its body. */
export interface Incoming {
  readonly method: string
  readonly target: string
  readonly headers: RequestHeaders
  /** Lines of the head, where the host counts them. */
  readonly headerCount?: number | undefined
  readonly peer: string | undefined
  readonly unixSocket: boolean
}

/** What a request goes on with. */
export interface Passage {
  /** The request's id: its own, or a new one. */
  readonly id: string
  readonly client: Client
  /** Of whatever is answered, where it has no such header itself. */
  readonly headers: Readonly<Record<string, string>>
  /** The answer, where the request goes no further. */
  readonly answer: DataPlaneResponse | undefined
}

/** Lines of a request's head. */
export const maxHeaders = 100

/** Paths that probes of platforms ask for, by the server's address. */
const isHealth = (target: string) => /^\/(?:healthz|readyz|v2\/health\/(?:live|ready))(?:\?|$)/.test(target)

const isDocument = (target: string) => /^\/docs\/?(?:\?|$)/.test(target)

const hostName = (host: string | undefined): string => (host ?? "").replace(/:\d{1,5}$/, "").toLowerCase()

export interface ProtectionService {
  readonly receive: (incoming: Incoming) => Passage
  /**
   * What the host has let pass already, by its own request object: what a client sends can't stand in for that, and the
   * address of the peer is known to the host only.
   */
  readonly passages: WeakMap<object, Passage>
}

export const makeProtection = (options: ProtectionOptions = {}): ProtectionService => {
  const { corsOrigins = [], trustedProxies = [], proxyHeader = "x-forwarded-for" } = options
  const cors = makeCors(corsOrigins.filter(isOrigin))
  const proxies = { proxies: trustedProxies, header: proxyHeader }
  const hosts = new Set((options.allowedHosts ?? []).map((host) => host.toLowerCase()))
  const vary = corsOrigins.length === 0 ? undefined : { vary: "origin" }

  const problemOf = ({ target, headers, headerCount = 0, unixSocket }: Incoming): Problem | undefined => {
    if (headerCount > maxHeaders)
      return new HeadersTooLargeProblem({
        detail: `The request has more than the ${maxHeaders} headers that are taken`,
      })
    const problem = targetProblem(target)
    if (problem !== undefined || hosts.size === 0 || unixSocket) return problem
    return hosts.has(hostName(firstValue(headers["host"]))) || isHealth(target)
      ? undefined
      : new MisdirectedProblem({ detail: "This server does not answer to the name in the Host header" })
  }

  return {
    passages: new WeakMap(),
    receive: (incoming) => {
      const { method, target, headers, peer } = incoming
      const id = requestId(headers)
      const client = clientOf(peer, headers, proxies)
      const problem = problemOf(incoming)
      const common = { ...(isDocument(target) ? documentHeaders : dataHeaders), "x-request-id": id }
      const isPlain = vary === undefined && !client.tls
      return {
        id,
        client,
        // Most servers have neither sites nor proxies: what they have not, they do not pay for.
        headers: isPlain
          ? common
          : {
              ...common,
              ...vary,
              ...cors.headersFor(headers),
              ...(client.tls ? transportHeaders : undefined),
            },
        answer: problem === undefined ? cors.preflight(method, headers) : refusal(target, problem),
      }
    },
  }
}

/** Default: no page of another site may call, no proxy is trusted, and `Host` may be anything. */
export const Protection = Context.Reference<ProtectionService>("@modelforge/http/Protection", {
  defaultValue: () => makeProtection(),
})

export const layerProtection = (options: ProtectionOptions) =>
  Layer.sync(Protection, () => makeProtection(options))
