// Builds every published package into its dist folder: declarations by `tsc -b`, JavaScript by tsup.
//
// All JavaScript, shared chunks included, lies directly in dist, and all public sources directly in src.
// So `new URL("../model.onnx", import.meta.url)` means the same file before and after the build.
import { spawnSync } from "node:child_process"
import { rmSync } from "node:fs"
import { join } from "node:path"
import { build } from "tsup"
import { bundleCommands } from "./bundle.mjs"
import { packages, root } from "./workspace.mjs"

for (const { folder } of packages) rmSync(join(folder, "dist"), { recursive: true, force: true })

const { status } = spawnSync("tsc", ["-b", "--pretty", "false"], { cwd: root, stdio: "inherit" })
if (status !== 0) process.exit(status ?? 1)

for (const pkg of packages) {
  const { folder, name, entries, commands } = pkg
  process.chdir(folder) // tsup reads package.json, and with it what is external, from here
  await build({
    config: false,
    entry: entries,
    outDir: "dist",
    format: "esm",
    target: "node22",
    platform: "node",
    splitting: true,
    sourcemap: true,
    clean: false,
    dts: false,
    silent: true,
    removeNodeProtocol: false,
    skipNodeModulesBundle: true,
    esbuildOptions: (options) => {
      options.absWorkingDir = folder
      options.sourcesContent = false // src is published next to dist
    },
  })
  if (Object.keys(commands).length > 0) await bundleCommands(pkg, packages)
  console.log(`${name}: ${Object.keys({ ...entries, ...commands }).join(", ")}`)
}
