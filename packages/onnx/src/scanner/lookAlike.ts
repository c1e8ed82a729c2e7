/** Names that people can't tell apart. */

/** Letters of other scripts in the shape of Latin ones: Greek, then Cyrillic. */
const shapes = new Map<string, string>([
  ...pairs("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧαικνορυχ", "ABEZHIKMNOPTYXaiknopux"),
  ...pairs("АВЕЅІЈКМНОРСТУХаеһіјорсԛѕԝху", "ABESIJKMHOPCTYXaehijopcqswxy"),
])

function pairs(from: string, to: string): ReadonlyArray<readonly [string, string]> {
  return [...from].map((letter, index) => [letter, to[index] ?? letter] as const)
}

/** The same text for names that look the same: full-width letters, ligatures, joiners and other scripts' twins included. */
export const appearance = (name: string): string =>
  Array.from(
    name.normalize("NFKC").replace(/[\u200c\u200d]/g, ""),
    (letter) => shapes.get(letter) ?? letter,
  ).join("")
