/** A model that takes microseconds: what a server adds to it. Server on one core, load on the other. */
import { contenders, guarded, unbatched } from "../contenders.ts"
import { small } from "../models/BenchModel.ts"
import type { Suite } from "./Suite.ts"
import { compare } from "./throughput.ts"

export const measureSmall: Suite = (bench) =>
  compare(
    {
      model: small,
      protocols: ["json"],
      connections: bench.plan.smallConnections,
      seconds: bench.plan.smallSeconds,
      contenders: [...contenders, ...guarded],
      unbatched,
      cores: { server: 0, load: 1 },
    },
    bench,
  )
