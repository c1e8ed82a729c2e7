// Runs vitest with every process disturbed by disturb.mjs. Nothing of it can be repeated exactly: run it some times.
//
//   npm run disturbed -- packages/core/test/uploads      vitest's own arguments
//   DISTURB=0.15 DISTURB_MS=100 npm run disturbed        every seventh operation, by up to 100 ms
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"

const preloaded = fileURLToPath(new URL("disturb.mjs", import.meta.url))
const { status } = spawnSync("vitest", ["run", ...process.argv.slice(2)], {
  stdio: "inherit",
  env: { ...process.env, NODE_OPTIONS: `--import ${JSON.stringify(preloaded)}` },
})
process.exitCode = status ?? 1
