/** The garbage collector of a process that does nothing but serve. */
import { setFlagsFromString } from "node:v8"

const flag = "--external-memory-accounted-in-global-limit"

/** The version that has the flag, which is Node 24's: any other writes a complaint to standard error instead. */
const flagSince = /^13\./

/**
 * Has the memory of bodies counted with the heap. By itself V8 walks the whole heap whenever buffers grew by 64 MB, whatever
 * the heap is: with bodies of 600 KB that was every 30 requests, and a quarter of the server's time (measured). Says whether
 * this engine can do it. Not for processes of other people: it is a setting of all of the process.
 */
export const countBuffersWithHeap = (engine: string = process.versions.v8): boolean => {
  if (!flagSince.test(engine)) return false
  setFlagsFromString(flag)
  return true
}
