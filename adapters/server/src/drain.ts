/**
 * The end of a server. Node's own `close` destroys connections whose answer is written but not yet sent, and keeps
 * those open whose request ends after it; so which connections are in use is counted here.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http"
import { Socket, Server as TcpServer } from "node:net"
import type { Duplex } from "node:stream"
import { type Duration, Effect } from "effect"

export interface Connections {
  /** Whether an answer has begun on this connection and is not sent whole. */
  readonly isAnswering: (socket: Duplex) => boolean
  /** Stops accepting, lets requests under way finish for as long as `timeout`, and then cuts what is left. */
  readonly drain: (timeout: Duration.Input) => Effect.Effect<void>
}

/** Watches a server's connections from now on. */
export const watchConnections = (server: Server): Connections => {
  /** Answers that are not sent whole, by connection. */
  const busy = new Map<Socket, Set<ServerResponse>>()
  let draining = false

  const closeIfIdle = (socket: Socket) => {
    if (draining && !busy.get(socket)?.size) socket.destroySoon()
  }
  server.on("connection", (socket: Socket) => {
    busy.set(socket, new Set())
    socket.once("close", () => busy.delete(socket))
  })
  server.on("request", ({ socket }: IncomingMessage, response: ServerResponse) => {
    busy.get(socket)?.add(response)
    if (draining) response.shouldKeepAlive = false
    response.on("close", () => {
      busy.get(socket)?.delete(response)
      closeIfIdle(socket)
    })
  })

  const finish = Effect.callback<void>((resume) => {
    draining = true
    TcpServer.prototype.close.call(server, () => resume(Effect.void))
    for (const [socket, responses] of busy) {
      // Those before the last would take the connection along, and the answers behind them.
      const last = [...responses].at(-1)
      if (last !== undefined) last.shouldKeepAlive = false
      closeIfIdle(socket)
    }
  })

  const cut = Effect.sync(() => {
    server.closeAllConnections()
    server.close() // it does not listen any more; this stops the timer that Node keeps for its connections
  })

  return {
    isAnswering: (socket) =>
      socket instanceof Socket && [...(busy.get(socket) ?? [])].some((response) => response.headersSent),
    drain: (timeout) => Effect.andThen(Effect.timeoutOption(finish, timeout), cut),
  }
}
