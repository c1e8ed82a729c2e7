/** What a suite is given to measure with. */
import type { Plan } from "../Plan.ts"
import type { Table } from "../report.ts"
import type { Workspace } from "../Workspace.ts"

export interface Bench {
  readonly plan: Plan
  readonly workspace: Workspace
  /** Says what is being done, for people who wait. */
  readonly progress: (text: string) => void
}

export type Suite = (bench: Bench) => Promise<ReadonlyArray<Table>>
