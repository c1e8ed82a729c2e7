/** The runner's side of the connection: answers every request exactly once, in the order in which they came. */
import type { Duplex } from "node:stream"
import { FrameReader, failureCode, frameKind, ProtocolError } from "../wire/Frame.ts"
import { PayloadReader, PayloadWriter } from "../wire/Payload.ts"
import { type OpenSession, type Session, SessionError } from "./OrtSession.ts"
import { SerialQueue } from "./SerialQueue.ts"

/** Serves until the stream ends or speaks nonsense, then calls `onEnd` once. */
export const serveRunner = (stream: Duplex, openSession: OpenSession, onEnd: () => void): void => {
  const sessions = new Map<number, Session>()
  const queue = new SerialQueue()
  /** Runs that have not begun. */
  const waiting = new Set<number>()
  let ended = false
  const end = () => {
    if (ended) return
    ended = true
    onEnd()
  }

  const fail = (id: number, code: number, detail: string) =>
    new PayloadWriter().uint(code).text(detail).send(stream, frameKind.failed, id)

  /** Queues `work`, which sends the answer or rejects with the reason. */
  const answer = (id: number, work: () => Promise<void>) =>
    queue.add(() =>
      work().catch((cause: unknown) =>
        fail(
          id,
          cause instanceof SessionError && cause.kind === "unavailable"
            ? failureCode.unavailable
            : failureCode.refused,
          cause instanceof Error ? cause.message : String(cause),
        ),
      ),
    )

  const load = (id: number, payload: PayloadReader) => {
    const handle = payload.uint()
    const intraOpThreads = payload.uint()
    const file = payload.text()
    answer(id, async () => {
      const session = await openSession(file, { intraOpThreads })
      sessions.set(handle, session)
      new PayloadWriter()
        .texts(session.inputNames)
        .texts(session.outputNames)
        .send(stream, frameKind.loaded, id)
    })
  }

  const run = (id: number, payload: PayloadReader, wanted: boolean) => {
    const handle = payload.uint()
    const outputs = payload.texts()
    const inputs = payload.tensors()
    waiting.add(id)
    answer(id, async () => {
      if (!waiting.delete(id)) return fail(id, failureCode.cancelled, "withdrawn")
      const session = sessions.get(handle)
      if (session === undefined) throw new SessionError("refused", "the model is not loaded")
      const result = await session.run(inputs, outputs)
      new PayloadWriter()
        .double(result.startedAt)
        .double(result.computeMs)
        .tensors(wanted ? result.outputs : {})
        .send(stream, frameKind.ran, id)
    })
  }

  const release = (id: number, payload: PayloadReader) => {
    const handle = payload.uint()
    answer(id, async () => {
      const session = sessions.get(handle)
      sessions.delete(handle)
      await session?.release()
      new PayloadWriter().send(stream, frameKind.released, id)
    })
  }

  const reader = new FrameReader((kind, id, payload) => {
    if (kind === frameKind.run) run(id, new PayloadReader(payload), true)
    else if (kind === frameKind.rehearse) run(id, new PayloadReader(payload), false)
    else if (kind === frameKind.load) load(id, new PayloadReader(payload))
    else if (kind === frameKind.release) release(id, new PayloadReader(payload))
    else if (kind === frameKind.cancel) waiting.delete(id)
    else throw new ProtocolError(`frame kind ${kind} is unknown`)
  })
  stream.on("data", (chunk: Buffer) => {
    try {
      reader.push(chunk)
    } catch {
      // Host and runner are of one build; a frame that can't be read means that the stream is of no more use.
      stream.destroy()
    }
  })
  stream.on("error", end)
  stream.on("end", end)
  stream.on("close", end)
  new PayloadWriter().send(stream, frameKind.ready, 0)
}
