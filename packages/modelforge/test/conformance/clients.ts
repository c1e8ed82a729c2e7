/** Section 5: what clients of others send on the wire. */
import { connect } from "node:net"
import { assert } from "@effect/vitest"
import { readInfer } from "./client.ts"
import { dataOf, errorOf, jsonOf, post, type Rule, rowsJson, type World } from "./world.ts"

/** Writes a request as it is, and reads until the server closes, as asked. */
const wire = ({ port }: World, head: string, body = ""): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1")
    let received = ""
    socket.setEncoding("latin1")
    socket.on("data", (chunk) => {
      received += chunk
    })
    socket.on("error", reject)
    socket.on("end", () => resolve(received))
    socket.write(`${head}\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n${body}`)
  })

export const clientRules: ReadonlyArray<Rule> = [
  [
    "5 tritonclient.http: no Content-Type at all",
    async (world) => {
      const body = rowsJson()
      const answer = await wire(
        world,
        `POST /v2/models/rows/infer HTTP/1.1\r\nContent-Length: ${body.length}`,
        body,
      )
      assert.match(answer, /^HTTP\/1\.1 200 /)
    },
  ],
  [
    "5 tritonclient.http: POST /v2/repository/index, load and unload without Content-Length",
    async (world) => {
      for (const path of ["index", "models/rows/unload", "models/rows/load"])
        assert.match(await wire(world, `POST /v2/repository/${path} HTTP/1.1`), /^HTTP\/1\.1 200 /)
    },
  ],
  [
    "5 tritonclient.http.aio: application/octet-stream for pure JSON, and offers gzip, deflate and br on every call",
    async (world) => {
      const headers = { "content-type": "application/octet-stream", "accept-encoding": "gzip, deflate, br" }
      const answer = await post(world, "rows", rowsJson(), headers)
      assert.deepStrictEqual(dataOf(readInfer(answer)), [1, 2])
      for (const [method, path] of [
        ["GET", "/v2"],
        ["GET", "/v2/models/every"],
        ["GET", "/v2/models/stats"],
        ["POST", "/v2/repository/index"],
      ] as const)
        jsonOf(await world.client.send(method, path, undefined, headers))
      errorOf(await world.client.send("GET", "/v2/models/nobody", undefined, headers), 404)
    },
  ],
  [
    "5 kserve InferenceRESTClient: adds model_name and an id, writes the header in lower case",
    async (world) => {
      const json =
        '{"id":"6b5","model_name":"rows","inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","parameters":{"binary_data_size":8}}]}'
      const body = Buffer.concat([Buffer.from(json), Buffer.from(Float32Array.of(1, 2).buffer)])
      const answer = await post(world, "rows", body, {
        "content-type": "application/octet-stream",
        "inference-header-content-length": String(json.length),
      })
      assert.deepInclude(readInfer(answer), { id: "6b5", modelName: "rows" })
    },
  ],
  [
    "5 bodies in chunks are taken like others",
    async (world) => {
      const chunks = [...rowsJson()].map((character) => `1\r\n${character}\r\n`).join("")
      const answer = await wire(
        world,
        "POST /v2/models/rows/infer HTTP/1.1\r\nTransfer-Encoding: chunked",
        `${chunks}0\r\n\r\n`,
      )
      assert.match(answer, /^HTTP\/1\.1 200 /)
    },
  ],
  [
    "5 Content-Length together with Transfer-Encoding is 400",
    async (world) => {
      const answer = await wire(
        world,
        "POST /v2/models/rows/infer HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked",
        "0\r\n\r\n",
      )
      assert.match(answer, /^HTTP\/1\.1 400 /)
    },
  ],
]
