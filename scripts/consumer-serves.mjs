// The installed `modelforge serve`, as its user has it: its processes, threads, pages and database are all in the package.
//
//   node scripts/consumer-serves.mjs <folder where modelforge is installed>
import { strict as assert } from "node:assert"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { createInterface } from "node:readline"

const [folder] = process.argv.slice(2)
const command = join(folder, "node_modules", ".bin", "modelforge")
const server = spawn(command, ["serve", "--port", "0", "--data-dir", join(folder, "data"), "--examples"], {
  cwd: folder,
  stdio: ["ignore", "pipe", "inherit"],
})
const exited = once(server, "exit")
process.on("exit", () => server.kill("SIGKILL"))
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1))

const readyUrl = async () => {
  for await (const line of createInterface(server.stdout)) {
    const [, url] = /^ready (http:\S+)$/.exec(line) ?? []
    if (url !== undefined) return url
  }
  throw new Error("modelforge serve ended before it was ready")
}
const url = await readyUrl()

const predict = async (rows) => {
  const inputs = { features: Array.from({ length: rows }, () => Array.from({ length: 13 }, () => 1.5)) }
  const response = await fetch(`${url}/v1/models/wine/predict`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ inputs }),
  })
  assert.equal(response.status, 200)
  const { outputs } = await response.json()
  assert.equal(outputs.label.length, rows)
}
await predict(1)
await predict(5000) // 325 KB, which a thread reads

const docs = await fetch(`${url}/docs`)
assert.equal(docs.status, 200)
assert.match(await docs.text(), /swagger/i)

server.kill("SIGTERM")
assert.deepEqual(await exited, [0, null])
