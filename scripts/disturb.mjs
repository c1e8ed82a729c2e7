// Preloaded into every process of a test run: delays some of the file operations, of the writes to sockets and of the
// news that a child has ended, as a slow disk and a busy machine do. A test that then fails was not sure of what it
// waited for, or the code was not.
// See disturbed.mjs.
import { ChildProcess } from "node:child_process"
import fs from "node:fs"
import { syncBuiltinESMExports } from "node:module"
import { Socket } from "node:net"
import { fileURLToPath } from "node:url"

const share = Number(process.env.DISTURB ?? "0.05")
const longestMs = Number(process.env.DISTURB_MS ?? "80")
// Tests put others in its place.
const { setTimeout } = globalThis

const isHit = () => Math.random() < share
const later = (work) => setTimeout(work, Math.random() * longestMs)
const pause = () => new Promise(later)

/** Functions that take a callback: either the work or the news of it is late. */
const disturb = (target, names) => {
  for (const name of names) {
    const original = target[name]
    const disturbed = function (...args) {
      const callback = args.at(-1)
      if (typeof callback !== "function" || !isHit()) return original.apply(this, args)
      if (Math.random() < 0.5) return void later(() => original.apply(this, args))
      const late = (...results) => later(() => callback(...results))
      return original.apply(this, [...args.slice(0, -1), late])
    }
    // What `util.promisify` goes by, and `realpath.native`.
    target[name] = Object.defineProperties(disturbed, Object.getOwnPropertyDescriptors(original))
  }
}

/** Functions that give a promise. */
const disturbPromised = (target, names) => {
  for (const name of names) {
    const original = target[name]
    target[name] = async function (...args) {
      if (!isHit()) return original.apply(this, args)
      await pause()
      try {
        return await original.apply(this, args)
      } finally {
        await pause()
      }
    }
  }
}

const words = (text) => text.split(" ")
const both = words(
  "access copyFile link lstat mkdir open readdir readFile realpath rename rm rmdir stat truncate unlink utimes writeFile",
)
const byDescriptor = words("close fdatasync fstat fsync ftruncate read readv write writev")
disturb(fs, [...both, ...byDescriptor])
disturbPromised(fs.promises, both)
const handle = await fs.promises.open(fileURLToPath(import.meta.url))
disturbPromised(
  Object.getPrototypeOf(handle),
  words("datasync read readFile stat sync truncate write writeFile writev"),
)
await handle.close()

for (const name of ["_write", "_writev", "_final"]) {
  const original = Socket.prototype[name]
  Socket.prototype[name] = function (...args) {
    if (!isHit()) return original.apply(this, args)
    later(() => {
      if (this.destroyed) args.at(-1)(new Error("The socket was closed meanwhile"))
      else original.apply(this, args)
    })
  }
}

const { emit } = ChildProcess.prototype
ChildProcess.prototype.emit = function (event, ...args) {
  if (event !== "exit" || !isHit()) return emit.call(this, event, ...args)
  later(() => emit.call(this, event, ...args))
  return true
}

syncBuiltinESMExports()
