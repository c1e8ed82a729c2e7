/** Models of some 5 ms: whether the server keeps the processors at the models. All cores, shared with the load. */
import { contenders } from "../contenders.ts"
import { image, text } from "../models/BenchModel.ts"
import type { Suite } from "./Suite.ts"
import { compare } from "./throughput.ts"

export const measureHeavy: Suite = async (bench) => {
  const connections = bench.plan.heavyConnections
  return [
    ...(await compare({ model: image, protocols: ["binary", "json"], connections, contenders }, bench)),
    ...(await compare({ model: text, protocols: ["json", "binary"], connections, contenders }, bench)),
  ]
}
