// The packed packages as their user meets them: installed by plain npm, imported by Node, checked by TypeScript.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { root } from "./workspace.mjs"

/** Suites for authors of stores: they run inside vitest only. */
const insideVitest = /\/testing$/

/**
 * Installs every tarball into an empty project and imports each public module.
 *
 * Peers are pinned to what the workspace has installed, so a release of theirs can't break the check.
 */
export const smokeTest = async (packages, tarballs, temporary, run) => {
  const folder = join(temporary, "consumer")
  const write = (file, content) => writeFileSync(join(folder, file), content)
  mkdirSync(folder)

  const peers = packages.flatMap((pkg) =>
    Object.keys(pkg.manifest.peerDependencies ?? {})
      .filter((peer) => pkg.manifest.peerDependenciesMeta?.[peer]?.optional !== true)
      .map((peer) => [peer, installedVersion(pkg.folder, peer)]),
  )
  const ours = [...tarballs].map(([name, tarball]) => [name, `file:${tarball}`])
  write(
    "package.json",
    JSON.stringify({ private: true, type: "module", dependencies: Object.fromEntries([...peers, ...ours]) }),
  )

  const specifiers = packages.flatMap((pkg) => pkg.specifiers).filter((name) => !insideVitest.test(name))
  const names = specifiers.map((_, index) => `module${index}`)
  write(
    "consumer.ts",
    [
      ...specifiers.map((specifier, index) => `import * as ${names[index]} from "${specifier}"`),
      `const modules: ReadonlyArray<object> = [${names.join(", ")}]`,
      "if (modules.some((module) => Object.keys(module).length === 0)) throw new Error('a module exports nothing')",
      "",
    ].join("\n"),
  )
  write(
    "tsconfig.json",
    JSON.stringify({
      compilerOptions: {
        module: "nodenext",
        target: "es2024",
        lib: ["es2024", "esnext.disposable", "dom"],
        strict: true,
        exactOptionalPropertyTypes: true,
        skipLibCheck: false,
        noEmit: true,
        types: ["node"],
        typeRoots: [join(root, "node_modules", "@types")],
      },
      files: ["consumer.ts"],
    }),
  )

  const npm = [
    "install",
    "--ignore-scripts",
    "--prefer-offline",
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
  ]
  await run("npm", npm, { cwd: folder, env: withoutOuterNpm(process.env) })
  await run("node", ["consumer.ts"], { cwd: folder })
  await run("tsc", ["-p", "."], { cwd: folder })
  for (const { name, manifest } of packages) {
    for (const command of Object.keys(manifest.bin ?? {})) {
      const help = await run(join(folder, "node_modules", ".bin", command), ["--help"], { cwd: folder })
      if (!help.includes(name)) throw new Error(`${command} --help does not mention ${name}:\n${help}`)
    }
  }
  await run("node", [join(root, "scripts", "consumer-serves.mjs"), folder])
}

const installedVersion = (folder, name) =>
  JSON.parse(readFileSync(join(folder, "node_modules", name, "package.json"), "utf8")).version

/** What the `npm test` around us sets would make the inner npm install somewhere else. */
const withoutOuterNpm = (env) =>
  Object.fromEntries(
    Object.entries(env).filter(
      ([name]) =>
        !/^npm_(config_(prefix|global|local_prefix|user_agent)|package|lifecycle|command|execpath)/i.test(
          name,
        ),
    ),
  )
