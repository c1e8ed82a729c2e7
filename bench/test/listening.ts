/** A server in the test's own process, for what measures servers. */
import { createServer, type RequestListener } from "node:http"

/** Listens on a free port as long as `work` goes on. */
export const listening = async <A>(
  listener: RequestListener,
  work: (port: number) => Promise<A>,
): Promise<A> => {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const address = server.address()
  try {
    return await work(typeof address === "object" && address !== null ? address.port : 0)
  } finally {
    server.closeAllConnections()
    server.close()
  }
}
