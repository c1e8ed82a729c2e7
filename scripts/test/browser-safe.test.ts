import { fileURLToPath } from "node:url"
import { build } from "esbuild"
import { describe, expect, it } from "vitest"

const root = fileURLToPath(new URL("../../", import.meta.url))

/** Bundles a module for the browser from its sources and answers what it would import of Node. */
const nodeImports = async (contents: string, resolveDir: string): Promise<ReadonlyArray<string>> => {
  const { metafile } = await build({
    stdin: { contents, resolveDir: root + resolveDir, loader: "ts" },
    absWorkingDir: root,
    bundle: true,
    write: false,
    metafile: true,
    format: "esm",
    platform: "browser",
    conditions: ["modelforge-source"],
    external: ["node:*"],
    logLevel: "silent",
  })
  return Object.values(metafile.outputs).flatMap(({ imports }) => imports.map(({ path }) => path))
}

describe("what browsers load", () => {
  it.each([
    ["@modelforge/core/model", "packages/api"],
    ["@modelforge/api", "packages/http"],
  ])("%s imports nothing of Node", async (name, importer) => {
    expect(await nodeImports(`export * from "${name}"`, importer)).toEqual([])
  })

  it("notices an import of Node", async () => {
    expect(await nodeImports(`export * from "node:crypto"`, "packages/api")).toEqual(["node:crypto"])
  })

  it("notices a built-in module without the node: prefix", async () => {
    await expect(nodeImports(`export * from "fs"`, "packages/api")).rejects.toThrow(/Could not resolve "fs"/)
  })
})
