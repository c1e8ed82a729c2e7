/** The answer to a V2 infer request: JSON, with the bytes of binary outputs behind it. */
import type { Prediction, Route, Tensor } from "@modelforge/core"
import type { LargeTexts } from "../json/largeTexts.ts"
import { flatJson } from "../json/tensorJson.ts"
import { toBytes } from "../request/binaryTensor.ts"
import type { InferRequest } from "../request/inferRequest.ts"
import { classify } from "./classification.ts"
import type { ResponseBody } from "./response.ts"

const encoder = new TextEncoder()

const classified = (route: Route, name: string, output: Tensor, classes: number): Tensor => {
  const spec = route.signature.outputs.find((one) => one.name === name)
  return spec === undefined ? output : classify(output, spec, classes)
}

const head = (name: string, { datatype, shape }: Tensor) =>
  `"name":${JSON.stringify(name)},"datatype":"${datatype}","shape":[${shape.join(",")}]`

/** Whether an output is answered as it is, in JSON. */
export const isPlainText = (name: string, { listed, others }: InferRequest["forms"]): boolean => {
  const { binary, classes } = listed.get(name) ?? others
  return !binary && classes === undefined
}

/**
 * Text when all of it is JSON, else the JSON as the first chunk and a chunk for each binary output. As Triton does,
 * binary outputs without a byte do not make an answer binary. `texts` has the outputs that were written already.
 */
export const writeInfer = (
  route: Route,
  prediction: Prediction,
  { id, forms }: Pick<InferRequest, "id" | "forms">,
  texts: LargeTexts,
): ResponseBody => {
  const binary: Array<Uint8Array> = []
  const outputs = Object.entries(prediction.outputs)
    .map(([name, output]) => {
      const form = forms.listed.get(name) ?? forms.others
      const tensor = form.classes === undefined ? output : classified(route, name, output, form.classes)
      if (!form.binary) return `{${head(name, tensor)},"data":${texts.get(name) ?? flatJson(tensor, name)}}`
      const bytes = toBytes(tensor)
      if (bytes.length > 0) binary.push(bytes)
      return `{${head(name, tensor)},"parameters":{"binary_data_size":${bytes.length}}}`
    })
    .join(",")
  const echoed = id === undefined ? "" : `"id":${JSON.stringify(id)},`
  const json = `{"model_name":"${route.model}","model_version":"${prediction.version}",${echoed}"outputs":[${outputs}]}`
  return binary.length === 0 ? json : [encoder.encode(json), ...binary]
}
