/** What the library is put through, and what it is started with; both cross a process boundary. */
import { Schema } from "effect"
import { ForgeOptions } from "../forge/ForgeOptions.ts"

export const CyclesOptions = Schema.Struct({ ...ForgeOptions.fields, file: Schema.String })
export type CyclesOptions = typeof CyclesOptions.Type

export const CyclesJob = Schema.Struct({ cycles: Schema.Int })
export type CyclesJob = typeof CyclesJob.Type
