/**
 * A bare Node server that refuses everything, as a full one would: what a storm costs on a machine by itself, whoever it
 * hits. Bodies beyond 64 KiB are not received but cost their connection, as with ModelForge.
 */
import { createServer } from "node:http"
import { serveJobs } from "../serveJobs.ts"

const droppedBytes = 64 * 1024
const body = JSON.stringify({ error: "64 requests are under way, no more may wait" })
const headers = { "content-type": "application/json", "content-length": body.length, "retry-after": "1" }

const server = createServer({ keepAliveTimeout: 65_000 }, (request, response) => {
  const isSmall = Number(request.headers["content-length"]) <= droppedBytes
  response.writeHead(503, isSmall ? headers : { ...headers, connection: "close" }).end(body)
})

server.listen(0, "127.0.0.1", () => {
  const address = server.address()
  const port = address !== null && typeof address === "object" ? address.port : 0
  serveJobs({ port }, () => Promise.resolve(undefined))
})
