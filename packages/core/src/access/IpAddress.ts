/** Addresses of the Internet Protocol as numbers, so that one address is one value however it is written. */

export interface IpAddress {
  readonly family: 4 | 6
  /** 32 bits, or 128. */
  readonly bits: bigint
}

const bitsOf = { 4: 32n, 6: 128n } as const

/** Four decimal numbers. Leading zeros are refused: some read them as octal. */
const parseIpv4 = (text: string): bigint | undefined => {
  const parts = text.split(".")
  if (parts.length !== 4) return undefined
  let bits = 0n
  for (const part of parts) {
    if (!/^(?:0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined
    bits = (bits << 8n) | BigInt(part)
  }
  return bits
}

/** Up to eight groups. At the end of an address (`isLast`) a dotted IPv4 address may be two of them. */
const parseGroups = (text: string, isLast: boolean): ReadonlyArray<bigint> | undefined => {
  if (text === "") return []
  const groups: Array<bigint> = []
  const parts = text.split(":")
  for (const [index, part] of parts.entries()) {
    const ipv4 = isLast && index === parts.length - 1 && part.includes(".") ? parseIpv4(part) : undefined
    if (ipv4 !== undefined) groups.push(ipv4 >> 16n, ipv4 & 0xffffn)
    else if (/^[0-9a-f]{1,4}$/i.test(part)) groups.push(BigInt(`0x${part}`))
    else return undefined
  }
  return groups
}

const parseIpv6 = (text: string): bigint | undefined => {
  const halves = text.split("::")
  if (halves.length > 2) return undefined
  const [head, tail] = halves.map((half, index) => parseGroups(half, index === halves.length - 1))
  if (head === undefined || (halves.length === 2 && tail === undefined)) return undefined
  const after = tail ?? []
  const missing = 8 - head.length - after.length
  // "::" stands for one group at least.
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined
  const groups = [...head, ...new Array<bigint>(missing).fill(0n), ...after]
  return groups.reduce((bits, group) => (bits << 16n) | group, 0n)
}

const longestText = 45

/** Without a zone, a port or brackets. IPv4 addresses in the clothes of IPv6 (`::ffff:…`) are IPv4. */
export const parseIpAddress = (text: string): IpAddress | undefined => {
  if (text.length > longestText) return undefined
  if (!text.includes(":")) {
    const bits = parseIpv4(text)
    return bits === undefined ? undefined : { family: 4, bits }
  }
  const bits = parseIpv6(text)
  if (bits === undefined) return undefined
  return bits >> 32n === 0xffffn ? { family: 4, bits: bits & 0xffffffffn } : { family: 6, bits }
}

/** The longest run of groups that are zero, of two at least. */
const zeroRun = (groups: ReadonlyArray<bigint>) => {
  let best = { start: -1, length: 1 }
  for (let start = 0; start < groups.length; start++) {
    let end = start
    while (groups[end] === 0n) end++
    if (end - start > best.length) best = { start, length: end - start }
  }
  return best
}

/** The one way in which an address is written (RFC 5952). */
export const formatIpAddress = ({ family, bits }: IpAddress): string => {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (bits >> shift) & 0xffn).join(".")
  const groups = Array.from({ length: 8 }, (_, index) => (bits >> BigInt(16 * (7 - index))) & 0xffffn)
  const text = (some: ReadonlyArray<bigint>) => some.map((group) => group.toString(16)).join(":")
  const { start, length } = zeroRun(groups)
  return start === -1
    ? text(groups)
    : `${text(groups.slice(0, start))}::${text(groups.slice(start + length))}`
}

/** Addresses that begin with the same bits. */
export interface IpRange {
  readonly address: IpAddress
  /** How many bits. */
  readonly prefix: number
}

/** `10.0.0.0/8`, `fd00::/8`, or one address. Bits behind the prefix are a mistake. */
export const parseIpRange = (text: string): IpRange | undefined => {
  const [first = "", prefixText, ...more] = text.split("/")
  const address = parseIpAddress(first)
  if (address === undefined || more.length > 0) return undefined
  const all = Number(bitsOf[address.family])
  if (prefixText === undefined) return { address, prefix: all }
  // A mapped address has become another family than its prefix was meant for.
  if (
    !/^\d{1,3}$/.test(prefixText) ||
    Number(prefixText) > all ||
    (address.family === 4 && first.includes(":"))
  )
    return undefined
  const range = { address, prefix: Number(prefixText) }
  return networkOf(address, range.prefix) === address.bits ? range : undefined
}

/** The address with zeros behind the prefix. */
const networkOf = ({ family, bits }: IpAddress, prefix: number): bigint => {
  const free = bitsOf[family] - BigInt(prefix)
  return (bits >> free) << free
}

export const isInRange = (address: IpAddress, range: IpRange): boolean =>
  address.family === range.address.family && networkOf(address, range.prefix) === range.address.bits

/** Who is counted as one: an IPv4 address, or a /64 of IPv6, which is what one household or machine has. */
export const addressGroup = (text: string): string => {
  const address = parseIpAddress(text)
  if (address === undefined) return text
  return address.family === 4
    ? formatIpAddress(address)
    : `${formatIpAddress({ family: 6, bits: networkOf(address, 64) })}/64`
}
