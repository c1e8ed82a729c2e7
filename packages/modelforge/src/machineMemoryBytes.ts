import { totalmem } from "node:os"

/** What this process and its runners may use together: the machine's memory, or what its container has of it. */
export const machineMemoryBytes = (): number => {
  const constrained = process.constrainedMemory()
  // 0 where the system can't tell, and beyond all bounds where nothing is constrained.
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem()
}
