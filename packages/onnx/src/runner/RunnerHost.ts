/** The runner's side of the protocol: answers every request exactly once, in the order in which they came. */
import { failureCode, frameKind, type OutgoingFrame, ProtocolError } from "../wire/Frame.ts"
import { PayloadReader, PayloadWriter } from "../wire/Payload.ts"
import type { Connection, IncomingFrame } from "./Connection.ts"
import { type OpenSession, type Session, SessionError } from "./OrtSession.ts"

const codeOf = (cause: unknown): number =>
  cause instanceof SessionError && cause.kind === "unavailable"
    ? failureCode.unavailable
    : failureCode.refused

/**
 * Serves one request after another, because ONNX Runtime holds its thread anyway, until the host leaves. Rejects when
 * the host speaks nonsense: both are of one build, so nothing that follows would make sense either.
 */
export const serveRunner = async (
  connection: Connection,
  openSession: OpenSession,
  residentBytes: () => number = process.memoryUsage.rss,
): Promise<void> => {
  const sessions = new Map<number, Session>()
  const startBytes = residentBytes()

  /** Memory that no session accounts for: the runtime's own, and what those released did not give back. */
  const excessBytes = (): number => {
    let excess = residentBytes() - startBytes
    for (const session of sessions.values()) excess -= session.grownBytes()
    return Math.max(0, excess)
  }

  const load = async (id: number, payload: PayloadReader): Promise<OutgoingFrame> => {
    const handle = payload.uint()
    const intraOpThreads = payload.uint()
    const session = await openSession(payload.text(), { intraOpThreads })
    sessions.set(handle, session)
    return new PayloadWriter()
      .texts(session.inputNames)
      .texts(session.outputNames)
      .frame(frameKind.loaded, id)
  }

  const run = async (id: number, payload: PayloadReader, wanted: boolean): Promise<OutgoingFrame> => {
    const session = sessions.get(payload.uint())
    const names = payload.texts()
    const inputs = payload.tensors()
    if (session === undefined) throw new SessionError("refused", "the model is not loaded")
    const { startedAt, computeMs, outputs } = await session.run(inputs, names)
    return new PayloadWriter()
      .double(startedAt)
      .double(computeMs)
      .tensors(wanted ? outputs : {})
      .frame(frameKind.ran, id)
  }

  const release = async (id: number, payload: PayloadReader): Promise<OutgoingFrame> => {
    const handle = payload.uint()
    const session = sessions.get(handle)
    sessions.delete(handle)
    await session?.release()
    return new PayloadWriter().double(excessBytes()).frame(frameKind.released, id)
  }

  const measure = (id: number, payload: PayloadReader): OutgoingFrame => {
    const bytes = sessions.get(payload.uint())?.grownBytes() ?? 0
    return new PayloadWriter().double(bytes).frame(frameKind.measured, id)
  }

  const answer = async ({ kind, id, payload }: IncomingFrame): Promise<OutgoingFrame> => {
    const reader = new PayloadReader(payload)
    try {
      if (kind === frameKind.run) return await run(id, reader, true)
      if (kind === frameKind.rehearse) return await run(id, reader, false)
      if (kind === frameKind.load) return await load(id, reader)
      if (kind === frameKind.release) return await release(id, reader)
      if (kind === frameKind.measure) return measure(id, reader)
    } catch (cause) {
      if (cause instanceof ProtocolError) throw cause
      const detail = cause instanceof Error ? cause.message : String(cause)
      return new PayloadWriter().uint(codeOf(cause)).text(detail).frame(frameKind.failed, id)
    }
    throw new ProtocolError(`frame kind ${kind} is unknown`)
  }

  connection.send(new PayloadWriter().frame(frameKind.ready, 0))
  for (;;) {
    const frame = await connection.next()
    if (frame === undefined) return
    connection.send(await answer(frame))
  }
}
