/** The command line of the benchmark. */
import { parseArgs } from "node:util"
import { defaultPlan, fullPlan, type Plan, quickPlan, type SuiteName, suiteNames } from "./Plan.ts"

export const usage = `npm run bench -- [--quick | --full] [--only ${suiteNames.join("|")}]… [--json FILE]`

export interface Arguments {
  readonly plan: Plan
  readonly suites: ReadonlyArray<SuiteName>
  /** Where the numbers go as JSON too. */
  readonly json: string | undefined
}

const isSuite = (name: string): name is SuiteName => suiteNames.some((known) => known === name)

/** Throws an `Error` for people. */
export const readArguments = (given: ReadonlyArray<string>): Arguments => {
  const { values } = parseArgs({
    args: [...given],
    options: {
      quick: { type: "boolean", default: false },
      full: { type: "boolean", default: false },
      only: { type: "string", multiple: true, default: [] },
      json: { type: "string" },
    },
  })
  if (values.quick && values.full) throw new Error("--quick and --full exclude each other")
  const unknown = values.only.find((name) => !isSuite(name))
  if (unknown !== undefined) throw new Error(`--only ${unknown}: there are ${suiteNames.join(", ")}`)
  const chosen = values.only.filter(isSuite)
  return {
    plan: values.quick ? quickPlan : values.full ? fullPlan : defaultPlan,
    suites: chosen.length === 0 ? suiteNames : chosen,
    json: values.json,
  }
}
