/** The suites by name. */
import type { SuiteName } from "../Plan.ts"
import { measureEventLoop } from "./eventLoop.ts"
import { measureHeavy } from "./heavy.ts"
import { measureMemory } from "./memory.ts"
import type { Suite } from "./Suite.ts"
import { measureSmall } from "./small.ts"
import { measureStart } from "./start.ts"

export const suites: Readonly<Record<SuiteName, Suite>> = {
  small: measureSmall,
  heavy: measureHeavy,
  loop: measureEventLoop,
  memory: measureMemory,
  start: measureStart,
}
