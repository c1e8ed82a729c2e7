/** How much of long texts and lists is kept for viewers. */

/** Bytes of a text. */
export const keptText = 128
/** Elements of a list. */
export const keptElements = 16

/** A text that is only shown. */
export const shorten = (text: string): string =>
  text.length > keptText ? `${text.slice(0, keptText - 1).replace(/[\ud800-\udbff]$/, "")}…` : text
