/** What commands print: columns for people, JSON for programs. */
import { Console, Effect } from "effect"

/** Columns under their heads, as wide as they have to be. */
export const columns = (heads: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = heads.map((head, column) =>
    Math.max(head.length, ...rows.map((row) => row[column]?.length ?? 0)),
  )
  const line = (cells: ReadonlyArray<string>) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd()
  return [heads, ...rows].map(line).join("\n")
}

export const printJson = (value: unknown) => Console.log(JSON.stringify(value, null, 2))

/** Beside standard output, which has what programs read. */
export const say = (text: string) => Effect.andThen(Console.error(text), Effect.void)
