import { fileURLToPath } from "node:url"
import { build } from "esbuild"
import { expect, it } from "vitest"

const root = fileURLToPath(new URL("../../", import.meta.url))

/** What a module loads before it runs, from its sources; what it imports later is not followed. */
const loadedBy = async (entry: string): Promise<ReadonlyArray<string>> => {
  const { metafile } = await build({
    entryPoints: [root + entry],
    absWorkingDir: root,
    bundle: true,
    splitting: true,
    write: false,
    metafile: true,
    outdir: "out",
    format: "esm",
    platform: "node",
    conditions: ["modelforge-source"],
    logLevel: "silent",
  })
  const pending = Object.keys(metafile.outputs).filter((file) => metafile.outputs[file]?.entryPoint === entry)
  const loaded = new Set(pending)
  for (let file = pending.pop(); file !== undefined; file = pending.pop())
    for (const { path, kind } of metafile.outputs[file]?.imports ?? [])
      if (kind === "import-statement" && !loaded.has(path)) {
        loaded.add(path)
        pending.push(path)
      }
  return [...loaded].flatMap((file) => Object.keys(metafile.outputs[file]?.inputs ?? {}))
}

const entry = "packages/http/src/node/bodyThread/main.ts"

/** With Effect, each thread would take half a second of a processor to start, and 30 MB more. */
it("a thread that reads bodies starts without Effect", async () => {
  const loaded = await loadedBy(entry)
  expect(loaded).toContain("packages/core/src/tensors/JsonNumbers.ts")
  expect(loaded.filter((file) => /node_modules|packages\/api/.test(file))).toEqual([])
})
