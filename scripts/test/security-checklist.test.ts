/** The checklist of the security guide names tests that exist. */
import { globSync, readFileSync } from "node:fs"
import { basename } from "node:path"
import { fileURLToPath } from "node:url"
import { expect, it } from "vitest"

const root = fileURLToPath(new URL("../../", import.meta.url))
const guide = readFileSync(`${root}docs/guide/security.md`, "utf8")

/** Sources of tests by their name without folders, which several may share. */
const sources = Map.groupBy(
  globSync("{packages,adapters,examples}/*/{test,src/testing}/**/*.ts", { cwd: root }),
  (file) => basename(file),
)

const rows = guide
  .slice(guide.indexOf("## Checklist"))
  .split("\n")
  .filter((line) => /^\| \d+\. /.test(line))
  .map((line) =>
    line
      .slice(1, -1)
      .split("|")
      .map((cell) => cell.trim()),
  )

/** `File.test.ts: "title", …; other` as pairs. */
const testsOf = (cell: string): ReadonlyArray<readonly [file: string, title: string]> =>
  [...cell.matchAll(/([\w.]+\.ts): ((?:`[^`]+`(?:, )?)+)/g)].flatMap(([, file = "", titles = ""]) =>
    [...titles.matchAll(/`([^`]+)`/g)].map(([, title = ""]) => [file, title] as const),
  )

it("has every point of the list, in order", () => {
  expect(rows.map(([point = ""]) => Number.parseInt(point, 10))).toEqual(
    Array.from({ length: 20 }, (_, index) => index + 1),
  )
})

it("names tests that exist, or says that the point is not built yet", () => {
  for (const [point = "", how = "", tests = ""] of rows) {
    const named = testsOf(tests)
    if (named.length === 0) expect(how, point).toMatch(/not built yet \(issue/)
    // All of the cell is tests, so that none escapes by being misspelt.
    expect(tests.replaceAll(/[\w.]+\.ts: (?:`[^`]+`(?:, )?)+(?:; )?/g, ""), point).toBe("")
    for (const [file, title] of named) {
      const found = (sources.get(file) ?? []).some((path) =>
        readFileSync(`${root}${path}`, "utf8").includes(title),
      )
      expect(found, `${point}: ${file}: ${title}`).toBe(true)
    }
  }
})
