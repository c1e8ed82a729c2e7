/** A TCP relay before a server that counts what goes in, and loses it where a test wants a transfer to be cut. */
import { createConnection, createServer, type Socket } from "node:net"
import { Deferred, Effect } from "effect"

export interface Gate {
  /** Bytes that clients sent since the gate was last set. */
  readonly passed: () => number
  /** So many bytes more are let through, to what listens at `target`; then nothing is. Completes when they are through. */
  readonly set: (target: string | number, limit: number) => Effect.Effect<Deferred.Deferred<void>>
  /** Breaks what is open, as a server does that is killed. */
  readonly cut: Effect.Effect<void>
}

/** Listens at a port of its own, or at a Unix socket. */
export const openGate = Effect.fnUntraced(function* (listenAt: string | 0) {
  const open = new Set<Socket>()
  let target: string | number = 0
  let limit = Number.POSITIVE_INFINITY
  let passed = 0
  let held = Deferred.makeUnsafe<void>()

  const server = createServer((client) => {
    const upstream =
      typeof target === "string" ? createConnection(target) : createConnection(target, "127.0.0.1")
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      open.add(from)
      from.on("error", () => {})
      from.on("close", () => {
        open.delete(from)
        // Not destroyed: what was let through arrives, however slowly the server reads.
        to.end()
      })
    }
    upstream.pipe(client)
    client.on("data", (chunk: Buffer) => {
      const through = chunk.subarray(0, Math.max(0, limit - passed))
      passed += through.length
      // What comes then is lost, but read: else nobody would see the client leave.
      const last = passed >= limit
      const written = () => {
        if (last) Deferred.doneUnsafe(held, Effect.void)
      }
      if (!upstream.write(through, written)) {
        client.pause()
        upstream.once("drain", () => client.resume())
      }
    })
  })
  yield* Effect.callback<void>((resume) => {
    const listening = () => resume(Effect.void)
    if (typeof listenAt === "string") server.listen(listenAt, listening)
    else server.listen(0, "127.0.0.1", listening)
  })
  const cut = Effect.sync(() => {
    for (const socket of open) socket.destroy()
  })
  yield* Effect.addFinalizer(() =>
    Effect.andThen(
      Effect.sync(() => server.close()),
      cut,
    ),
  )
  const address = server.address()
  return {
    port: address !== null && typeof address === "object" ? address.port : 0,
    passed: () => passed,
    set: (to, bytes) =>
      Effect.sync(() => {
        ;[target, limit, passed] = [to, bytes, 0]
        held = Deferred.makeUnsafe()
        return held
      }),
    cut,
  } satisfies Gate & { readonly port: number }
})
