/** In which form each output is answered. */
export interface OutputForm {
  /** As bytes behind the JSON, rather than in it. */
  readonly binary: boolean
  /** Only so many of the greatest elements, as text; undefined for the tensor itself. */
  readonly classes: number | undefined
}

export interface OutputForms {
  readonly listed: ReadonlyMap<string, OutputForm>
  /** Of outputs that the request does not list. */
  readonly others: OutputForm
}

const asJson: OutputForm = { binary: false, classes: undefined }
const asBytes: OutputForm = { binary: true, classes: undefined }

/** Most requests' form: all outputs as JSON. */
export const plainForms: OutputForms = { listed: new Map(), others: asJson }
export const binaryForms: OutputForms = { listed: new Map(), others: asBytes }
