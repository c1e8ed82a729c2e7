// The packages of the workspace, as the build and the checks see them.
import { globSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

export const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** The condition under which packages are their sources. */
export const bySource = "modelforge-source"

/** Where a public module's source is, in a package.json `exports` entry. */
const source = (entry) => (typeof entry === "object" ? entry[bySource] : undefined)

/** Every package that is published: its folder, manifest, and modules to build. */
export const packages = globSync("{packages,adapters,examples}/*/package.json", { cwd: root })
  .sort()
  .map((file) => ({
    folder: dirname(join(root, file)),
    manifest: JSON.parse(readFileSync(join(root, file), "utf8")),
  }))
  .filter(({ manifest }) => manifest.private !== true)
  .map(({ folder, manifest }) => ({
    folder,
    manifest,
    name: manifest.name,
    /** Public module specifiers, such as `@modelforge/core/model`. */
    specifiers: Object.entries(manifest.exports)
      .filter(([, entry]) => source(entry) !== undefined)
      .map(([path]) => join(manifest.name, path)),
    /** Output name in dist -> source file: public modules, and `modelforge.entries` of package.json. */
    entries: Object.fromEntries([
      ...Object.values(manifest.exports)
        .filter((entry) => source(entry) !== undefined)
        .map((entry) => [outputName(entry.default), source(entry)]),
      ...Object.entries(manifest.modelforge?.entries ?? {}),
    ]),
    /** Output name in dist -> source file, of what `bin` names. */
    commands: Object.fromEntries(
      Object.values(manifest.bin ?? {}).map((file) => [outputName(file), `src/${outputName(file)}.ts`]),
    ),
  }))

function outputName(file) {
  return /^\.\/dist\/([\w-]+)\.js$/.exec(file)?.[1] ?? fail(`${file} is not directly in dist`)
}

function fail(message) {
  throw new Error(`package.json: ${message}`)
}
