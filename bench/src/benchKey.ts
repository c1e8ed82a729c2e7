/** What every request carries: to servers that ask for no key it is one more header to read. */
export const benchKey = "the-key-of-a-benchmark-is-no-secret"
export const credentials = { authorization: `Bearer ${benchKey}` }
