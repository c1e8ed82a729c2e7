/**
 * Whether a request may be answered at all: decided before anything else of it is looked at, for every host and every
 * path alike. What no route is known for asks for authentication too, so nothing is open by being forgotten. Plain code:
 * every prediction passes here.
 */
import { ForgeApi } from "@modelforge/api"
import { Authentication, type Identity, mayDo, mayUse, modelsOf, RateLimits } from "@modelforge/core"
import { Context, Effect, Layer, Result } from "effect"
import { HttpRouter } from "effect/http"
import { firstValue, type RequestHeaders } from "../dataplane/request/requestHead.ts"
import type { DataPlaneResponse } from "../dataplane/response/response.ts"
import { type DataRoute, matchRoute } from "../dataplane/routes.ts"
import { type Counted, countRequest, refuseRate } from "../limits/rateLimitHeaders.ts"
import { openModeRefusal } from "./openMode.ts"
import { type Asked, makeRouteTable } from "./RouteTable.ts"
import {
  refuseAnonymous,
  refuseArrival,
  refuseCredentials,
  refuseLimited,
  refuseModel,
  refusePermission,
} from "./refusals.ts"

/** What is known of a request before its body. */
export interface Arrival {
  readonly method: string
  /** As the request line has it: a path, or a whole URL as proxies are sent them. */
  readonly target: string
  readonly headers: RequestHeaders
  /** Address of the peer; undefined where the host does not know it, and when the peer has left already. */
  readonly peer: string | undefined
  /** The client's, behind proxies that are trusted; undefined where the host does not know it. */
  readonly address?: string | undefined
  /** The request came by a Unix socket, which file permissions guard. */
  readonly unixSocket: boolean
}

export interface Admitted {
  readonly identity: Identity
  /** Where the data plane answers; undefined: it does not. */
  readonly route: DataRoute | undefined
}

export interface GuardOptions {
  /**
   * Whether programs of this machine need no key until the first one or a user is made. Only for servers that listen on
   * a loopback host and are not in production. Default: false.
   */
  readonly open?: boolean
}

/** A path is the router's as it is; a whole URL is what it makes of it. */
const originForm = (target: string): { readonly path: string; readonly authority: string | undefined } => {
  if (target.charCodeAt(0) === 47 || !/^https?:\/\//i.test(target) || !URL.canParse(target))
    return { path: target, authority: undefined }
  const { pathname, search, host } = new URL(target)
  return { path: pathname + search, authority: host }
}

const tryAgain = (seconds: number) => `try again in ${seconds} seconds`

const owner: Identity = { _tag: "Owner" }
const open: Identity = { _tag: "Open" }
const anonymous: Identity = { _tag: "Anonymous" }

export class Guard extends Context.Service<
  Guard,
  {
    /** Who the request is from, where it may be answered; else the answer. */
    readonly admit: (arrival: Arrival) => Result.Result<Admitted, DataPlaneResponse>
    /**
     * Counts a request that was admitted, before its body is read. Gives what the answer has to say of the caller's
     * limits, or the answer to a caller who is over them; a promise only where the limits are shared with other servers.
     */
    readonly count: (identity: Identity, target: string) => Counted | Promise<Counted>
    /** The answer to a known caller who may not make the request; undefined when they may. */
    readonly authorize: (identity: Identity, method: string, target: string) => DataPlaneResponse | undefined
    /**
     * Who requests are from that the host admitted, by its own request object: nothing that a client sends can stand in
     * for that.
     */
    readonly callers: WeakMap<object, Identity>
  }
>()("@modelforge/http/Guard") {
  static readonly make = Effect.fnUntraced(function* ({ open: mayBeOpen = false }: GuardOptions = {}) {
    const authentication = yield* Authentication
    const limits = yield* RateLimits
    const table = makeRouteTable(ForgeApi, yield* HttpRouter.RouterConfig)

    const check = (
      identity: Identity,
      asked: Asked | undefined,
      target: string,
    ): DataPlaneResponse | undefined => {
      if (identity._tag === "Owner" || identity._tag === "Open") return undefined
      if (asked === undefined) return identity._tag === "Anonymous" ? refuseAnonymous(target) : undefined
      if (!mayDo(identity, asked.permission))
        return identity._tag === "Anonymous"
          ? refuseAnonymous(target)
          : refusePermission(target, identity, asked.permission)
      // Else it could make itself a key for all of them.
      if (asked.permission === "admin" && modelsOf(identity) !== null) return refuseLimited(target)
      return asked.model === undefined || mayUse(identity, asked.model)
        ? undefined
        : refuseModel(target, asked.model)
    }

    /** Who it is, as far as the route wants to know. */
    const identify = (
      { headers, address }: Arrival,
      asked: Asked | undefined,
      target: string,
    ): Result.Result<Identity, DataPlaneResponse> => {
      if (asked?.permission === "public") return Result.succeed(anonymous)
      return Result.mapError(
        authentication.identify({
          authorization: firstValue(headers["authorization"]),
          apiKey: firstValue(headers["x-api-key"]),
        }),
        () => {
          const seconds = limits.credentialsRefused(address)
          return seconds === undefined
            ? refuseCredentials(target)
            : refuseRate(
                target,
                seconds,
                `Too many requests from this address had no valid key: ${tryAgain(seconds)}`,
              )
        },
      )
    }

    const admit = (arrival: Arrival): Result.Result<Admitted, DataPlaneResponse> => {
      const { method, target, unixSocket } = arrival
      const route = matchRoute(target)
      if (unixSocket) return Result.succeed({ identity: owner, route })
      if (mayBeOpen && !authentication.closed()) {
        const { authority } = originForm(target)
        const why = openModeRefusal(arrival, authority)
        return why === undefined
          ? Result.succeed({ identity: open, route })
          : Result.fail(refuseArrival(target, why))
      }
      // The data plane answers one method; of others its own refusal says so.
      const asked: Asked | undefined =
        route === undefined
          ? table.find(method, originForm(target).path)
          : method === "POST"
            ? { permission: "predict", model: route.model }
            : undefined
      const identified = identify(arrival, asked, target)
      if (Result.isFailure(identified)) return Result.fail(identified.failure)
      const refusal = check(identified.success, asked, target)
      return refusal === undefined
        ? Result.succeed({ identity: identified.success, route })
        : Result.fail(refusal)
    }

    return Guard.of({
      admit,
      authorize: (identity, method, target) => check(identity, table.find(method, target), target),
      count: (identity, target) => countRequest(limits, identity, target),
      callers: new WeakMap(),
    })
  })

  static readonly layer = (options?: GuardOptions) => Layer.effect(this, this.make(options))

  /** Admits everything: for hosts that ask who calls before they hand a request on. */
  static readonly layerOwner = Layer.sync(this, () => ({
    admit: ({ target }) => Result.succeed({ identity: owner, route: matchRoute(target) }),
    authorize: () => undefined,
    count: () => Result.succeed(undefined),
    callers: new WeakMap(),
  }))
}
