import { deflateSync, gunzipSync, gzipSync, inflateSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { compress, type Decompression, decompress } from "../../../src/dataplane/response/compression.ts"
import { CallerLeft } from "../../../src/node/CallerLeft.ts"

const text = "a few words, ".repeat(10_000)
const bytes = new TextEncoder().encode(text)
const packed = { gzip: gzipSync(bytes), deflate: deflateSync(bytes) } as const
const unpacked = { gzip: gunzipSync, deflate: inflateSync } as const
const alive = new AbortController().signal

const options = (fields: Partial<Decompression> = {}): Decompression => ({
  coding: "gzip",
  spend: () => {},
  jsonLength: 0,
  signal: alive,
  ...fields,
})

const bytesOf = async (chunks: Promise<ReadonlyArray<Uint8Array>>) => Buffer.concat(await chunks)

/** What a promise rejects with. */
const rejection = (promise: Promise<unknown>) =>
  promise.then(
    () => assert.fail("it resolved"),
    (error) => error,
  )

describe("decompress", () => {
  it("gives what zlib compressed, telling of every byte as it comes", async () => {
    for (const coding of ["gzip", "deflate"] as const) {
      let spent = 0
      const plain = await decompress(packed[coding], options({ coding, spend: (count) => (spent += count) }))
      assert.deepStrictEqual(Buffer.from(plain).toString(), text)
      assert.strictEqual(spent, bytes.length)
    }
    assert.strictEqual((await decompress(gzipSync(""), options())).length, 0)
  })

  it("lays what follows the JSON at a multiple of 8", async () => {
    for (const jsonLength of [0, 1, 7, 8, 13]) {
      const { byteOffset } = await decompress(packed.gzip, options({ jsonLength }))
      assert.strictEqual((byteOffset + jsonLength) % 8, 0)
    }
  })

  it("ends as soon as it has spent too much", async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 2 ** 20))
    const enough = new Error("enough")
    let spent = 0
    const spend = (count: number) => {
      spent += count
      if (spent > 1_000_000) throw enough
    }
    assert.strictEqual(await rejection(decompress(bomb, options({ spend }))), enough)
    assert.isBelow(spent, 2_000_000)
  })

  it("refuses what is damaged, cut short, something else, or more than one", async () => {
    for (const body of [
      packed.gzip.subarray(0, -1),
      packed.gzip.subarray(0, 5),
      Buffer.alloc(0),
      Buffer.from('{"inputs":[]}'),
      packed.deflate,
      Buffer.concat([packed.gzip, Buffer.from("more")]),
      Buffer.concat([packed.gzip, packed.gzip]),
      Buffer.from(packed.gzip).fill(0xff, 40, 60),
    ]) {
      const error = await rejection(decompress(body, options()))
      assert.strictEqual(error.type, "urn:modelforge:problem:bad-request")
      assert.match(error.detail, /can't be decompressed: it is damaged, or not gzip/)
    }
  })

  it("never rejects with anything else, whatever the bytes are", async () => {
    for (let seed = 0; seed < 100; seed++) {
      const body = Buffer.from(packed.gzip)
      body[(seed * 7919) % body.length] = seed
      const error = await decompress(body, options()).catch((failure) => failure)
      if (!(error instanceof Uint8Array)) assert.strictEqual(error.type, "urn:modelforge:problem:bad-request")
    }
  })

  it("is over when the caller leaves", async () => {
    const caller = new AbortController()
    const gone = new Error("gone")
    const work = rejection(
      decompress(
        gzipSync(Buffer.alloc(2 ** 24)),
        options({ spend: () => caller.abort(gone), signal: caller.signal }),
      ),
    )
    assert.strictEqual(await work, gone)
    assert.strictEqual(
      await rejection(decompress(packed.gzip, options({ signal: AbortSignal.abort(gone) }))),
      gone,
    )
  })
})

describe("compress", () => {
  it("gives what zlib reads, of text and of chunks", async () => {
    for (const coding of ["gzip", "deflate"] as const)
      for (const body of [text, [bytes.subarray(0, 5), new Uint8Array(0), bytes.subarray(5)]])
        assert.strictEqual(
          unpacked[coding](Buffer.concat(await compress(body, coding, alive))).toString(),
          text,
        )
  })

  it("is over when the caller leaves", async () => {
    const gone = new Error("gone")
    assert.strictEqual(await rejection(compress(text, "gzip", AbortSignal.abort(gone))), gone)
  })

  it("and its opposite heed a caller that has no signal of the platform's", async () => {
    const caller = new CallerLeft()
    const read = await decompress(await bytesOf(compress(text, "gzip", caller)), options({ signal: caller }))
    assert.strictEqual(Buffer.from(read).toString(), text)
    const leaving = decompress(
      gzipSync(Buffer.alloc(2 ** 24)),
      options({ spend: () => caller.abort(), signal: caller }),
    )
    assert.strictEqual(await rejection(leaving), caller.reason)
    assert.strictEqual(await rejection(compress(text, "gzip", caller)), caller.reason)
    assert.match(String(caller.reason), /went away/)
  })
})
