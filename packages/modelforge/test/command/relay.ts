/** PostgreSQL as hosts have it, on TCP: the embedded one listens on its socket only, so a relay stands before it. */
import { createConnection, createServer, type Socket } from "node:net"
import { Effect } from "effect"

export const startRelay = Effect.fnUntraced(function* (socketPath: string) {
  const open = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = createConnection(socketPath)
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      open.add(from)
      from.on("error", () => {})
      from.on("close", () => {
        open.delete(from)
        to.destroy()
      })
      from.pipe(to)
    }
  })
  const listen = (port: number) =>
    Effect.callback<number>((resume) => {
      server.listen(port, "127.0.0.1", () => {
        const address = server.address()
        resume(Effect.succeed(address !== null && typeof address === "object" ? address.port : 0))
      })
    })
  /** Breaks all connections, and takes no more. */
  const cut = Effect.sync(() => {
    server.close()
    for (const socket of open) socket.destroy()
  })
  yield* Effect.addFinalizer(() => cut)
  const port = yield* listen(0)
  return { port, cut, restore: Effect.asVoid(listen(port)) }
})
