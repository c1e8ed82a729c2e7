/** How much is measured. */

export const suiteNames = ["small", "heavy", "loop", "scale", "overload", "memory", "start"] as const
export type SuiteName = (typeof suiteNames)[number]

export interface Plan {
  /** Rounds of each comparison. */
  readonly rounds: number
  /** Seconds of each measurement in a round, of the small model and of the heavy ones. */
  readonly smallSeconds: number
  readonly heavySeconds: number
  readonly smallConnections: ReadonlyArray<number>
  readonly heavyConnections: ReadonlyArray<number>
  /** Seconds of each measurement of the event loop, whose p99 needs many samples. */
  readonly loopSeconds: number
  /** Seconds of each measurement of `scale`, and how many models are registered at most. */
  readonly scaleSeconds: number
  readonly models: number
  /** Seconds of a storm, and of the measurement of what the server can do without one. */
  readonly overloadSeconds: number
  readonly capacitySeconds: number
  /** Loads and unloads of the 90 MB model. */
  readonly cycles: number
  /** Predictions before memory is looked at again. */
  readonly predictions: number
  /** Starts of each server. */
  readonly starts: number
}

/** Two to three minutes. */
export const quickPlan: Plan = {
  rounds: 3,
  smallSeconds: 0.3,
  heavySeconds: 0.4,
  smallConnections: [1, 16, 64],
  heavyConnections: [8],
  loopSeconds: 2,
  scaleSeconds: 0.3,
  models: 50,
  overloadSeconds: 5,
  capacitySeconds: 1.5,
  cycles: 4,
  predictions: 20_000,
  starts: 2,
}

/** About ten minutes. */
export const defaultPlan: Plan = {
  rounds: 5,
  smallSeconds: 0.7,
  heavySeconds: 0.6,
  smallConnections: [1, 16, 64],
  heavyConnections: [1, 8, 16],
  loopSeconds: 4,
  scaleSeconds: 0.5,
  models: 200,
  overloadSeconds: 30,
  capacitySeconds: 4,
  cycles: 50,
  predictions: 100_000,
  starts: 5,
}

/** As the default, with a million predictions. */
export const fullPlan: Plan = { ...defaultPlan, predictions: 1_000_000 }
