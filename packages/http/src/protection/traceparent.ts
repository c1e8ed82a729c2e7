/** W3C Trace Context: which trace and span of a caller a request belongs to. */

export interface TraceParent {
  /** 32 hexadecimal digits. */
  readonly traceId: string
  /** 16 hexadecimal digits. */
  readonly spanId: string
}

const pattern = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(-.*)?$/

/** Undefined for what is no `traceparent`. Later versions than the first may have more behind it. */
export const parseTraceParent = (header: string | undefined): TraceParent | undefined => {
  if (header === undefined || header.length > 256) return undefined
  const [, version, traceId, spanId, more] = pattern.exec(header) ?? []
  if (traceId === undefined || spanId === undefined || (version === "00" && more !== undefined))
    return undefined
  return { traceId, spanId }
}
