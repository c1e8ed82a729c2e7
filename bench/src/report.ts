/** Tables, as numbers for programs and as text for people. */

export type Cell = string | number | undefined

export interface Table {
  readonly title: string
  /** Each row has the same columns; undefined stands for what was not measured. */
  readonly rows: ReadonlyArray<Readonly<Record<string, Cell>>>
  /** What one should know when reading the numbers. */
  readonly notes: ReadonlyArray<string>
}

const digits = (value: number): number => (value >= 1000 ? 0 : value >= 20 ? 1 : 2)

const show = (cell: Cell): string => {
  if (cell === undefined || Number.isNaN(cell)) return "–"
  return typeof cell === "number" ? cell.toFixed(digits(Math.abs(cell))) : cell
}

export const renderTable = ({ title, rows, notes }: Table): string => {
  const columns = Object.keys(rows[0] ?? {})
  const cells = [columns, ...rows.map((row) => columns.map((column) => show(row[column])))]
  const widths = columns.map((_, index) => Math.max(...cells.map((row) => row[index]?.length ?? 0)))
  const lines = cells.map((row) =>
    row
      .map((cell, index) =>
        index === 0 ? cell.padEnd(widths[index] ?? 0) : cell.padStart(widths[index] ?? 0),
      )
      .join("  ")
      .trimEnd(),
  )
  return [title, ...lines.map((line) => `  ${line}`), ...notes.map((note) => `  ¹ ${note}`), ""].join("\n")
}
