import { globSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { expect, it } from "vitest"

const root = fileURLToPath(new URL("../../", import.meta.url))

it("names no folder after a kind of code instead of a concept", () => {
  const folders = globSync("{packages,adapters,examples}/*/{src,test}/**/{utils,helpers,common,types}/", {
    cwd: root,
  })
  expect(folders).toEqual([])
})

it("keeps one barrel a folder level up: index.ts lies directly in src", () => {
  expect(globSync("{packages,adapters,examples}/*/src/*/**/index.ts", { cwd: root })).toEqual([])
})
