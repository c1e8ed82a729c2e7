/** The library, loading and unloading a model again and again: push, predict, delete. */
import { Schema } from "effect"
import { ModelForge } from "modelforge"
import { big } from "../models/BenchModel.ts"
import { serveJobs } from "../serveJobs.ts"
import { CyclesJob, CyclesOptions } from "./CyclesJob.ts"

const { file, ...options } = Schema.decodeUnknownSync(Schema.fromJsonString(CyclesOptions))(process.argv[2])
const decode = Schema.decodeUnknownSync(CyclesJob)
const forge = await ModelForge.open(options)

const inputs = { [big.input.name]: [Array.from(big.row, Number)] }

const runCycles = async (message: unknown) => {
  const { cycles } = decode(message)
  for (let cycle = 0; cycle < cycles; cycle++) {
    await forge.models.push(big.name, file)
    await forge.predict(big.name, inputs)
    await forge.models.delete(big.name)
  }
}

serveJobs(undefined, runCycles, () => void forge.close().finally(() => process.exit(0)))
