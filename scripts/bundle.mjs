// Bundles a command with all that it runs, so that its start reads a few files and not a thousand (ADR 24).
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { build } from "tsup"
import { bySource } from "./workspace.mjs"

/** Stays what npm installs: native code, files found beside their module, and what only some have. */
const bundled = /^(?!onnxruntime-node$|@modelforge\/example-models$|@aws-sdk\/client-s3$)/

/** What may be given on in a package under Apache-2.0. */
const allowedLicences = /^\(?(MIT|MIT-0|Apache-2\.0|ISC|0BSD|BSD-[23]-Clause|BlueOak-1\.0\.0|Unlicense)\)?$/

/** Packages written for `require` look for it also when they lie in a module. */
const requireInModules =
  'import { createRequire as makeRequire } from "node:module"; const require = makeRequire(import.meta.url);'

/** Modules that start in processes and threads of their own, and are looked for beside the module that starts them. */
const processEntries = (packages, { manifest }) =>
  packages
    .filter(({ name }) => manifest.dependencies?.[name] !== undefined)
    .flatMap(({ folder, manifest: { modelforge } }) =>
      Object.entries(modelforge?.entries ?? {}).map(([name, source]) => [name, join(folder, source)]),
    )

/** The package that a bundled file is of. */
const packageOf = (file) => {
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    const manifest = join(folder, "package.json")
    const { name, version, license } = existsSync(manifest) ? JSON.parse(readFileSync(manifest, "utf8")) : {}
    if (name !== undefined && version !== undefined) return { folder, name, version, license }
  }
}

const licenceText = ({ folder, license }) => {
  const file = readdirSync(folder).find((name) => /^(licen[cs]e|copying)/i.test(name))
  return file === undefined ? `Licence: ${license}` : readFileSync(join(folder, file), "utf8").trim()
}

/** Their licences ask to be given along. */
const notices = (files, packages) => {
  const ours = new Set(packages.map(({ name }) => name))
  const found = new Map()
  for (const file of files) {
    const used = packageOf(file)
    if (!ours.has(used.name)) found.set(`${used.name} ${used.version}`, used)
  }
  for (const [title, { license }] of found)
    if (!allowedLicences.test(license))
      throw new Error(`${title} can't be bundled: its licence is ${license}`)
  return [...found]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([title, used]) => `${title}\n\n${licenceText(used)}\n`)
    .join(`\n${"-".repeat(80)}\n\n`)
}

/** What can be reached from the files that are started. What only code asked for that was left out is made nevertheless. */
const reachable = (outputs, starts) => {
  const found = new Set(starts)
  for (const file of found) // grows meanwhile
    for (const { path } of outputs[file].imports) if (outputs[path] !== undefined) found.add(path)
  return found
}

/** Into the package's dist, beside its public modules: those still import what their user has. */
export const bundleCommands = async (pkg, packages) => {
  const entry = { ...pkg.commands, ...Object.fromEntries(processEntries(packages, pkg)) }
  let outputs = {}
  await build({
    config: false,
    entry,
    outDir: "dist",
    format: "esm",
    target: "node22",
    platform: "node",
    splitting: true,
    sourcemap: false,
    clean: false,
    dts: false,
    silent: true,
    removeNodeProtocol: false,
    noExternal: [bundled],
    banner: { js: requireInModules },
    esbuildPlugins: [
      {
        name: "outputs",
        setup: ({ onEnd }) => {
          onEnd(({ metafile }) => {
            outputs = metafile.outputs
          })
        },
      },
    ],
    esbuildOptions: (options) => {
      options.absWorkingDir = pkg.folder
      options.conditions = [bySource]
      options.metafile = true
      options.minifySyntax = true
      options.minifyWhitespace = true // names stay: stacks are read by people
      options.legalComments = "none" // they are all in one file
    },
  })
  const used = reachable(
    outputs,
    Object.keys(entry).map((name) => `dist/${name}.js`),
  )
  for (const file of Object.keys(outputs)) if (!used.has(file)) rmSync(join(pkg.folder, file))
  const sources = [...used].flatMap((file) => Object.keys(outputs[file].inputs))
  const texts = notices(new Set(sources.map((file) => resolve(pkg.folder, file))), packages)
  writeFileSync(join(pkg.folder, "dist", "third-party-licences.txt"), texts)
}
