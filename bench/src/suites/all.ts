/** The suites by name. */
import type { SuiteName } from "../Plan.ts"
import { measureEventLoop } from "./eventLoop.ts"
import { measureHeavy } from "./heavy.ts"
import { measureMemory } from "./memory.ts"
import { measureOverload } from "./overload.ts"
import type { Suite } from "./Suite.ts"
import { measureScale } from "./scale.ts"
import { measureSmall } from "./small.ts"
import { measureStart } from "./start.ts"

export const suites: Readonly<Record<SuiteName, Suite>> = {
  small: measureSmall,
  heavy: measureHeavy,
  loop: measureEventLoop,
  scale: measureScale,
  overload: measureOverload,
  memory: measureMemory,
  start: measureStart,
}
