/** ONNX Runtime as one would call it by hand, a request a run, or what is queued joined into one run. */
import { InferenceSession, Tensor } from "onnxruntime-node"
import type { TensorShape } from "../models/GraphBuilder.ts"

export type Row = Float32Array | BigInt64Array

const dims = ({ dims }: TensorShape): Array<number> => dims.slice(1).map(Number)

const toTensor = (row: Row, shape: ReadonlyArray<number>): Tensor =>
  row instanceof Float32Array ? new Tensor("float32", row, shape) : new Tensor("int64", row, shape)

const joinRows = (rows: ReadonlyArray<Row>): Row => {
  const [first] = rows
  if (first === undefined || rows.length === 1) return first ?? new Float32Array()
  const length = first.length * rows.length
  if (first instanceof Float32Array) {
    const joined = new Float32Array(length)
    for (const [index, row] of rows.entries())
      if (row instanceof Float32Array) joined.set(row, index * row.length)
    return joined
  }
  const joined = new BigInt64Array(length)
  for (const [index, row] of rows.entries())
    if (row instanceof BigInt64Array) joined.set(row, index * row.length)
  return joined
}

/** Gives the output's one row for the input's one row. */
export type RunRow = (row: Row) => Promise<Float32Array>

export const openSession = (file: string, threads: number): Promise<InferenceSession> =>
  InferenceSession.create(file, { intraOpNumThreads: threads, interOpNumThreads: 1 })

const run = async (session: InferenceSession, input: TensorShape, rows: ReadonlyArray<Row>) => {
  const feeds = { [input.name]: toTensor(joinRows(rows), [rows.length, ...dims(input)]) }
  const { y } = await session.run(feeds)
  if (!(y?.data instanceof Float32Array)) throw new Error("the model gave no y")
  return y.data
}

export const plainRuns =
  (session: InferenceSession, input: TensorShape): RunRow =>
  (row) =>
    run(session, input, [row])

interface Waiting {
  readonly row: Row
  readonly resolve: (output: Float32Array) => void
  readonly reject: (error: unknown) => void
}

/** Everything that arrived in one turn of the event loop is one run, up to `limit` rows. */
export const joinedRuns = (session: InferenceSession, input: TensorShape, limit = 32): RunRow => {
  const queue: Array<Waiting> = []
  let scheduled = false
  const flush = async () => {
    const batch = queue.splice(0, limit)
    scheduled = queue.length > 0
    if (scheduled) setImmediate(flush)
    try {
      const outputs = await run(
        session,
        input,
        batch.map(({ row }) => row),
      )
      const width = outputs.length / batch.length
      for (const [index, { resolve }] of batch.entries())
        resolve(outputs.subarray(index * width, (index + 1) * width))
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
  }
  return (row) =>
    new Promise((resolve, reject) => {
      queue.push({ row, resolve, reject })
      if (scheduled) return
      scheduled = true
      setImmediate(flush)
    })
}
