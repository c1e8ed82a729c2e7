/** What browsers are told of answers: to take them for what they are, keep nothing, load nothing, show them nowhere. */

const everywhere = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
} as const

/** For what programs read. One object, for every prediction has them. */
export const dataHeaders: Readonly<Record<string, string>> = {
  ...everywhere,
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}

/** The documentation is one page with its script and styles in it, and calls this server. */
const documentPolicy = [
  "default-src 'none'",
  "script-src 'unsafe-inline'",
  "style-src 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ")

export const documentHeaders: Readonly<Record<string, string>> = {
  ...everywhere,
  "cache-control": "no-cache",
  "content-security-policy": documentPolicy,
}

/** For two years; told only where the request came by TLS. */
export const transportHeaders: Readonly<Record<string, string>> = {
  "strict-transport-security": "max-age=63072000",
}
