/**
 * `raw`: the least one could write by hand with node:http and onnxruntime-node, and so the ceiling. One model, no
 * checks, no limits, no versions, no timings, nothing that can be turned off. It takes the same requests as
 * ModelForge: `/v1` JSON, and V2 infer with binary tensors.
 */
import { createServer, type IncomingMessage } from "node:http"
import { serveJobs } from "../serveJobs.ts"
import { rawOptions } from "./RawOptions.ts"
import { joinedRuns, openSession, plainRuns, type Row } from "./RawSession.ts"

const options = rawOptions()
const { input } = options
const session = await openSession(options.file, options.threads)
const run = (options.joined ? joinedRuns : plainRuns)(session, input)
const length = input.dims.slice(1).reduce<number>((product, size) => product * Number(size), 1)

const bodyOf = (request: IncomingMessage) =>
  new Promise<Buffer>((resolve, reject) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => resolve(Buffer.concat(chunks)))
    request.on("error", reject)
  })

type Nested = number | ReadonlyArray<Nested>

const fill = (value: Nested, put: (element: number) => void): void => {
  if (typeof value === "number") put(value)
  else for (const element of value) fill(element, put)
}

const jsonRow = (body: Buffer): Row => {
  const { inputs } = JSON.parse(body.toString()) as { inputs: Record<string, Nested> }
  let at = 0
  if (input.datatype === "INT64") {
    const row = new BigInt64Array(length)
    fill(inputs[input.name] ?? [], (element) => {
      row[at++] = BigInt(element)
    })
    return row
  }
  const row = new Float32Array(length)
  fill(inputs[input.name] ?? [], (element) => {
    row[at++] = element
  })
  return row
}

/** The elements lie behind a JSON head whose length is a multiple of 8. */
const binaryRow = (body: Buffer, head: number): Row => {
  const at = body.byteOffset + head
  return input.datatype === "INT64"
    ? new BigInt64Array(body.buffer, at, length)
    : new Float32Array(body.buffer, at, length)
}

const jsonAnswer = (output: Float32Array) => ({
  headers: { "content-type": "application/json" },
  body: Buffer.from(JSON.stringify({ outputs: { y: [Array.from(output)] } })),
})

const binaryAnswer = (output: Float32Array) => {
  const head = `{"model_name":"m","outputs":[{"name":"y","datatype":"FP32","shape":[1,${output.length}],"parameters":{"binary_data_size":${output.byteLength}}}]}`
  return {
    headers: {
      "content-type": "application/octet-stream",
      "inference-header-content-length": String(head.length),
    },
    body: Buffer.concat([
      Buffer.from(head),
      Buffer.from(output.buffer, output.byteOffset, output.byteLength),
    ]),
  }
}

const answer = async (request: IncomingMessage) => {
  const body = await bodyOf(request)
  const head = request.headers["inference-header-content-length"]
  return head === undefined
    ? jsonAnswer(await run(jsonRow(body)))
    : binaryAnswer(await run(binaryRow(body, Number(head))))
}

const server = createServer({ keepAliveTimeout: 65_000 }, (request, response) => {
  if (request.method === "GET") {
    response.writeHead(200, { "content-type": "application/json", "content-length": 2 }).end("{}")
    return
  }
  answer(request).then(
    ({ headers, body }) => response.writeHead(200, { ...headers, "content-length": body.length }).end(body),
    (error: unknown) => response.writeHead(500, { "content-length": 0 }).end(void console.error(error)),
  )
})

server.listen(0, "127.0.0.1", () => {
  const address = server.address()
  const port = address !== null && typeof address === "object" ? address.port : 0
  serveJobs({ port }, () => Promise.resolve(undefined))
})
