/**
 * Who may speak to a server that asks for no key: programs of this machine, and no web page of another site. A
 * page in a browser on this machine has a loopback peer too, so the peer alone proves nothing.
 */
import type { RequestHeaders } from "../dataplane/request/requestHead.ts"

export interface LocalArrival {
  /** Address of the peer; undefined when the peer has left already, or the host does not know it. */
  readonly peer: string | undefined
  readonly headers: RequestHeaders
}

const isLoopbackAddress = (address: string) => /^(?:::ffff:)?127\.|^::1$/.test(address)

const loopbackHost = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i

/** Whether a host to listen on is reached from this machine only. */
export const isLoopbackHost = (host: string): boolean =>
  host === "localhost" || host === "::1" || /^127(?:\.\d{1,3}){3}$/.test(host)

/** Headers that proxies add: behind a proxy, every peer looks local. */
const isProxyHeader = (name: string) =>
  name === "forwarded" || name === "via" || name.startsWith("x-forwarded-")

const single = (value: string | ReadonlyArray<string> | undefined): string | undefined =>
  typeof value === "string" ? value : value?.join(", ")

/**
 * Why a request is refused in open mode; undefined when it may pass. `authority` is the host that the request line names,
 * where it names one: it counts for more than `Host`.
 */
export const openModeRefusal = ({ peer, headers }: LocalArrival, authority?: string): string | undefined => {
  if (peer === undefined || !isLoopbackAddress(peer))
    return "This server answers requests from its own machine only"
  const host = single(headers["host"])
  if (host === undefined || !loopbackHost.test(host) || !loopbackHost.test(authority ?? host))
    return "This server answers to localhost and 127.0.0.1 only: the Host header names another"
  for (const name in headers)
    if (isProxyHeader(name) && headers[name] !== undefined)
      return `This server asks for no key and so answers no proxy: the request carries "${name}"`
  const origin = single(headers["origin"])
  if (origin !== undefined && origin !== `http://${host}`)
    return "This server answers no other site's pages: the Origin header names another"
  const site = single(headers["sec-fetch-site"])
  if (site !== undefined && site !== "none" && site !== "same-origin")
    return "This server answers no other site's pages: the request comes from one"
  return undefined
}
