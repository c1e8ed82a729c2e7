/** Models of some 5 ms: whether the server keeps the processors at the models. All cores, shared with the load. */
import { contenders, unbatched } from "../contenders.ts"
import { image, text } from "../models/BenchModel.ts"
import type { Suite } from "./Suite.ts"
import { compare } from "./throughput.ts"

export const measureHeavy: Suite = async (bench) => {
  const shared = {
    connections: bench.plan.heavyConnections,
    seconds: bench.plan.heavySeconds,
    contenders,
  }
  return [
    ...(await compare({ ...shared, model: image, protocols: ["binary", "json"] }, bench)),
    ...(await compare({ ...shared, model: text, protocols: ["json"], unbatched }, bench)),
  ]
}
