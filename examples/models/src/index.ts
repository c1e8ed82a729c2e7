/** Three small models trained on data sets that ship with scikit-learn, for trying ModelForge and for its tests. */

export interface ExampleModel {
  readonly name: string
  readonly description: string
  /** The ONNX file. */
  readonly file: URL
  /** Held-out inputs with what ONNX Runtime answered: `{ inputs, outputs, score, target }`. */
  readonly vectors: URL
}

const example = (name: string, description: string): ExampleModel => ({
  name,
  description,
  file: new URL(`../${name}.onnx`, import.meta.url),
  vectors: new URL(`../${name}.vectors.json`, import.meta.url),
})

export const exampleModels: ReadonlyArray<ExampleModel> = [
  example("digits", "Handwritten digit, 8x8 grey levels in 0..1, to its class"),
  example("wine", "Thirteen chemical measures of a wine to its cultivar"),
  example("diabetes", "Ten measures of a patient to the progression of diabetes after a year"),
]

/** Inputs for `wine` that fit on a command line: the first held-out bottle, which is of class 0. */
export const wineInputs = {
  features: [[13.77, 1.9, 2.68, 17.1, 115, 3, 2.79, 0.39, 1.68, 6.3, 1.13, 2.93, 1375]],
}
