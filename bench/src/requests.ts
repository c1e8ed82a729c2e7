/** Requests, the same for every contender. */
import { credentials } from "./benchKey.ts"
import type { BenchModel } from "./models/BenchModel.ts"

export type Protocol = "json" | "binary"

export interface BenchRequest {
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

/** One row, nested along the shape. */
const nested = (model: BenchModel): unknown => {
  let level: ReadonlyArray<unknown> = Array.from(model.row, Number)
  for (const size of model.input.dims.slice(1).reverse()) {
    const rows: Array<unknown> = []
    for (let at = 0; at < level.length; at += Number(size)) rows.push(level.slice(at, at + Number(size)))
    level = rows
  }
  return level
}

/** `/v1` predict: nested arrays. */
const json = (model: BenchModel): BenchRequest => ({
  path: `/v1/models/${model.name}/predict`,
  headers: { ...credentials, "content-type": "application/json" },
  body: Buffer.from(JSON.stringify({ inputs: { [model.input.name]: nested(model) } })),
})

/** V2 infer with the binary tensor extension. The head is filled up with spaces, so that elements lie aligned. */
const binary = (model: BenchModel): BenchRequest => {
  const { name, datatype, dims } = model.input
  const elements = Buffer.from(model.row.buffer, model.row.byteOffset, model.row.byteLength)
  const text = JSON.stringify({
    inputs: [
      { name, datatype, shape: [1, ...dims.slice(1)], parameters: { binary_data_size: elements.length } },
    ],
    parameters: { binary_data_output: true },
  })
  const head = Buffer.from(text.padEnd(Math.ceil(text.length / 8) * 8))
  return {
    path: `/v2/models/${model.name}/infer`,
    headers: {
      ...credentials,
      "content-type": "application/octet-stream",
      "inference-header-content-length": String(head.length),
    },
    body: Buffer.concat([head, elements]),
  }
}

export const predictRequest = (model: BenchModel, protocol: Protocol): BenchRequest =>
  protocol === "json" ? json(model) : binary(model)

/** The whole request as it goes over the wire. */
export const wireBytes = ({ path, headers, body }: BenchRequest): Buffer => {
  const lines = Object.entries({ host: "127.0.0.1", ...headers, "content-length": String(body.length) })
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")
  return Buffer.concat([Buffer.from(`POST ${path} HTTP/1.1\r\n${head}\r\n`), body])
}

export const healthRequest: Buffer = Buffer.from("GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
