/** An operation as it may be carried out: what is sent, and what is answered. A test does, in an order that works. */
export interface OperationExample {
  /** Path, query and header parameters by name. Those that a reader would not want prefilled are left out. */
  readonly parameters?: Readonly<Record<string, string | number>>
  /** JSON of the request. */
  readonly body?: unknown
  /** JSON of the successful answer. */
  readonly answer?: unknown
  /** JSON of refusals that are no problems and no failures of V2, by status. */
  readonly refusals?: Readonly<Record<string, unknown>>
}

export type OperationExamples = Readonly<Record<string, OperationExample>>
