/**
 * Where a request comes from. The peer is the only address that can't be made up; behind proxies that the operator trusts,
 * the nearest address that none of them has. Everything further left was written by somebody who is not trusted.
 */
import { formatIpAddress, type IpAddress, type IpRange, isInRange, parseIpAddress } from "@modelforge/core"
import type { RequestHeaders } from "../dataplane/request/requestHead.ts"

/** The header in which the proxies write. Only one: they pass the other on as a client sent it. */
export type ProxyHeader = "x-forwarded-for" | "forwarded"

/** Hops that are looked at. */
const mostHops = 32

const joined = (value: string | ReadonlyArray<string> | undefined): string | undefined =>
  typeof value === "string" ? value : value?.join(",")

/** An address as proxies write it: IPv6 in brackets or not, with a port or without. */
export const parseHop = (text: string): IpAddress | undefined => {
  const bracketed = /^\[([^\]]*)\](?::\d{1,5})?$/.exec(text)
  if (bracketed !== null) {
    const inside = bracketed[1] ?? ""
    return inside.includes(":") ? parseIpAddress(inside) : undefined
  }
  const withPort = /^([\d.]+):\d{1,5}$/.exec(text)
  return parseIpAddress(withPort === null ? text : (withPort[1] ?? ""))
}

/** Splits at a separator outside quotes. Undefined when a quote is never closed. */
const splitQuoted = (text: string, separator: string): ReadonlyArray<string> | undefined => {
  const parts: Array<string> = []
  let [from, quoted] = [0, false]
  for (let at = 0; at < text.length; at++) {
    const character = text[at]
    if (quoted && character === "\\") at++
    else if (character === '"') quoted = !quoted
    else if (!quoted && character === separator) {
      parts.push(text.slice(from, at))
      from = at + 1
    }
  }
  if (quoted) return undefined
  parts.push(text.slice(from))
  return parts
}

const unquoted = (text: string): string =>
  text.startsWith('"') && text.endsWith('"') && text.length > 1
    ? text.slice(1, -1).replaceAll(/\\(.)/g, "$1")
    : text

/** The value of a parameter of one `Forwarded` element (RFC 7239); undefined when it is not there once. */
const parameterOf = (element: string, wanted: string): string | undefined => {
  const values = (splitQuoted(element, ";") ?? []).flatMap((pair) => {
    const [, name = "", value = ""] = /^\s*([!#$%&'*+.^_`|~\w-]+)=(.*?)\s*$/.exec(pair) ?? []
    return name.toLowerCase() === wanted ? [unquoted(value)] : []
  })
  return values.length === 1 ? values[0] : undefined
}

/** What the hops wrote, from left to right. Undefined: nothing that can be read. */
const elementsOf = (headers: RequestHeaders, header: ProxyHeader): ReadonlyArray<string> | undefined => {
  const text = joined(headers[header])
  if (text === undefined) return undefined
  return header === "forwarded" ? splitQuoted(text, ",") : text.split(",")
}

const hopOf = (element: string, header: ProxyHeader): IpAddress | undefined => {
  const text = header === "forwarded" ? parameterOf(element, "for") : element.trim()
  return text === undefined ? undefined : parseHop(text)
}

export interface TrustedProxies {
  readonly proxies: ReadonlyArray<IpRange>
  readonly header: ProxyHeader
}

export interface Client {
  /** In the one way in which addresses are written; undefined when the peer's is not known. */
  readonly address: string | undefined
  /** Whether it came to the outermost trusted proxy by TLS. */
  readonly tls: boolean
}

/** Who a request is from, through the proxies that are trusted. */
export const clientOf = (
  peer: string | undefined,
  headers: RequestHeaders,
  { proxies, header }: TrustedProxies,
): Client => {
  if (proxies.length === 0) return { address: peer, tls: false }
  let address = peer === undefined ? undefined : parseIpAddress(peer)
  if (address === undefined) return { address: peer, tls: false }
  const isTrusted = (hop: IpAddress) => proxies.some((range) => isInRange(hop, range))
  if (!isTrusted(address)) return { address: formatIpAddress(address), tls: false }
  const elements = elementsOf(headers, header) ?? []
  let scheme =
    header === "forwarded" ? undefined : joined(headers["x-forwarded-proto"])?.split(",").at(-1)?.trim()
  for (let hop = 1; hop <= Math.min(mostHops, elements.length); hop++) {
    const element = elements[elements.length - hop] ?? ""
    const next = hopOf(element, header)
    // What can't be read ends it: the last that is known to be there is the answer.
    if (next === undefined) break
    if (header === "forwarded") scheme = parameterOf(element, "proto")
    address = next
    if (!isTrusted(next)) break
  }
  return { address: formatIpAddress(address), tls: scheme?.toLowerCase() === "https" }
}
