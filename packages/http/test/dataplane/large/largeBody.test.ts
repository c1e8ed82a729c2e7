/** Large bodies are read another way than small ones; whatever a body holds, the same has to come of it. */
import { assert, describe, it } from "@effect/vitest"
import {
  Digest,
  InferenceError,
  ModelName,
  ModelNotFound,
  nestedInputs,
  type Route,
  type Signature,
  VersionNumber,
} from "@modelforge/core"
import { Effect, Result } from "effect"
import { type Random, random } from "../../../../core/test/random.ts"
import { parseBody } from "../../../src/dataplane/json/body.ts"
import type { BodyReaderService } from "../../../src/dataplane/large/BodyReader.ts"
import { isLarge, readLargeInfer, readLargePredict } from "../../../src/dataplane/large/largeBody.ts"
import {
  type InferReply,
  type PredictReply,
  readInferJob,
  readPredictJob,
} from "../../../src/dataplane/large/readBody.ts"
import { readInferBody } from "../../../src/dataplane/request/inferBody.ts"
import { readPredict } from "../../../src/dataplane/request/predict.ts"
import { isProblem } from "../../../src/problems.ts"
import { type Ask, ask, FakeInference, inferRoute, predictRoute } from "../FakeInference.ts"

const signature: Signature = {
  inputs: [
    { name: "x", datatype: "FP32", shape: [-1, -1] },
    { name: "i", datatype: "INT64", shape: [-1] },
    { name: "t", datatype: "BYTES", shape: [-1] },
    { name: "b", datatype: "BOOL", shape: [-1] },
    { name: "h", datatype: "FP16", shape: [] },
  ],
  outputs: [],
}
const floats: Signature = { inputs: [{ name: "x", datatype: "FP32", shape: [-1, -1] }], outputs: [] }

const routeOf = (signature: Signature, version = 1): Route => ({
  id: "m/1",
  size: 1,
  config: {},
  model: ModelName.make("m"),
  version: VersionNumber.make(version),
  digest: Digest.make("0".repeat(64)),
  signature,
  outputNames: [],
})

const { signal } = new AbortController()
const encode = (text: string) => new TextEncoder().encode(text)

/** Reads on this thread, and counts how. */
class Reader implements BodyReaderService {
  readonly ways: Array<string> = []

  async predict(...[job]: Parameters<BodyReaderService["predict"]>): Promise<PredictReply> {
    const reply = await readPredictJob(job)
    this.ways.push(reply.as)
    return reply
  }

  async infer(...[job]: Parameters<BodyReaderService["infer"]>): Promise<InferReply> {
    const reply = await readInferJob(job)
    this.ways.push(reply.as)
    return reply
  }
}

/** What came of it, a refusal too, as plain data. */
const settle = async (read: () => unknown): Promise<unknown> => {
  try {
    return await read()
  } catch (error) {
    if (isProblem(error)) return { problem: JSON.parse(JSON.stringify(error)) }
    if (error instanceof InferenceError) return { inference: error.reason }
    throw error
  }
}

const smallPredict = (bytes: Uint8Array, to: Route) => {
  const body = parseBody(bytes)
  readPredict(body.value)
  const { inputs, ...members } = readPredict(body.exactFor(to.signature))
  return { to, ...members, inputs: Result.getOrThrowWith(nestedInputs(to, inputs), (error) => error) }
}

const bothPredict = async (reader: Reader, bytes: Uint8Array, to: Route, likely?: Signature) => {
  const small = await settle(() => smallPredict(bytes, to))
  const large = await settle(() => readLargePredict(reader, likely, () => to, bytes, signal))
  return [large, small] as const
}

const bothInfer = async (reader: Reader, bytes: Uint8Array, asked: Signature) => {
  const small = await settle(() => readInferBody(asked, bytes, undefined))
  const large = await settle(() => readLargeInfer(reader, asked, bytes, undefined, signal))
  return [large, small] as const
}

const values: Readonly<Record<string, ReadonlyArray<string>>> = {
  x: ["[[1,2.5],[-3,4e2]]", "[[0.1]]", "[[1],[2,3]]", "[[1e39]]", "[]", "[[],[]]", "3", "null", "[[NaN]]"],
  i: ["[1,-2]", "[9007199254740993]", "[18446744073709551615]", "[0.5]", "[1e2, 7]", "12345678901234567890"],
  t: ['["a","é"]', '["a\\n\\u00e9"]', '["\ufeff"]', '"bare"', "[5]", "[]"],
  b: ["[true,false]", "[ true ]", "[1]", '["true"]', "true"],
  h: ["1.5", "65519", "70000", '"NaN"', "[1]"],
  z: ["[1,2]", "1", "{}"],
}
const others = [
  '"version":3',
  '"version":null',
  '"outputs":["X"]',
  '"outputs":[{"name":"X"}]',
  '"parameters":{"priority":1}',
  '"parameters":{"a":12345678901234567890}',
  '"id":"a\\"b"',
  '"more":[[[1]]]',
  '"inp\\u0075ts":{}',
  '"__proto__":1',
  '"inputs":{}',
  '"x":NaN',
  `"deep":${"[".repeat(101)}${"]".repeat(101)}`,
  '"outputs":[{"name":"X","parameters":{"classification":1}}]',
]

const shuffle = <A>({ int }: Random, items: ReadonlyArray<A>): ReadonlyArray<A> =>
  items
    .map((item) => [int(1e6), item] as const)
    .sort(([one], [other]) => one - other)
    .map(([, item]) => item)

const some = <A>(dice: Random, items: ReadonlyArray<A>, most: number) =>
  Array.from({ length: dice.int(most + 1) }, () => dice.pick(items))

const gap = ({ pick }: Random) => pick(["", "", "", " ", "\n\t"])

const object = (dice: Random, members: ReadonlyArray<string>) => {
  const space = gap(dice)
  return `${space}{${space}${shuffle(dice, members).join(`${space},${space}`)}${space}}${space}`
}

const valueOf = (dice: Random, name: string) =>
  // Mostly what fits: else nearly every body would be refused.
  dice.int(4) > 0 ? (values[name]?.[0] ?? "") : dice.pick(values[name] ?? [])

const namesOf = (dice: Random) => shuffle(dice, Object.keys(values)).slice(0, dice.int(5))

const damaged = (dice: Random, text: string): Uint8Array => {
  const bytes = encode(dice.int(10) === 0 ? `\ufeff${text}` : text)
  if (dice.int(4) > 0) return bytes
  const at = dice.int(bytes.length)
  const kind = dice.int(3)
  if (kind === 0) return bytes.subarray(0, at)
  if (kind === 1) bytes[at] = dice.pick([0x22, 0x5b, 0x5d, 0x2c, 0x7d, 0x7b, 0x3a, 0x5c, 0xff, 0x30, 0x20])
  return kind === 1 ? bytes : new Uint8Array([...bytes.subarray(0, at), ...bytes.subarray(at + 1)])
}

const predictText = (dice: Random) => {
  const inputs = namesOf(dice).map((name) => `"${name}":${gap(dice)}${valueOf(dice, name)}`)
  if (dice.int(12) === 0)
    inputs.push(dice.pick(['"x":[[7]]', '"\\u0078":[[8]]', '"__proto__":[1]', '"":[1]']))
  return object(dice, [`"inputs":${object(dice, inputs)}`, ...some(dice, others, 2)])
}

const inferText = (dice: Random) => {
  const inputs = namesOf(dice).map((name) => {
    const value = valueOf(dice, name)
    const datatype = signature.inputs.find((input) => input.name === name)?.datatype ?? "INT8"
    const shape = dice.pick(["[2]", "[1]", "[2,2]", "[0]", "[]", "[1,-1]", '["2"]', "[2,1]"])
    const members = [
      `"name":"${name}"`,
      `"datatype":"${dice.int(8) === 0 ? dice.pick(["FP64", "INT32", "FLOAT"]) : datatype}"`,
      `"shape":${name === "x" ? dice.pick(["[2,2]", shape]) : shape}`,
      `"data":${name === "h" ? `[${value}]` : value}`,
      ...some(
        dice,
        ['"parameters":{"a":1}', '"parameters":{"binary_data_size":4}', '"data":[1]', '"datatype":"BOOL"'],
        1,
      ),
    ]
    return object(dice, dice.int(10) === 0 ? members.slice(1) : members)
  })
  return object(dice, [`"inputs":[${inputs.join(",")}]`, ...some(dice, others, 1)])
}

describe("a large body", () => {
  it("on /v1 gives what a small one gives", async () => {
    const reader = new Reader()
    for (let seed = 0; seed < 2000; seed++) {
      const dice = random(seed)
      const text = predictText(dice)
      const bytes = damaged(dice, text)
      const [large, small] = await bothPredict(reader, bytes, routeOf(signature), signature)
      assert.deepStrictEqual(large, small, `seed ${seed}: ${text}`)
    }
    for (const way of ["scanned", "whole", "refused"])
      assert.isAbove(reader.ways.filter((one) => one === way).length, 200, way)
  })

  it("on V2 gives what a small one gives", async () => {
    const reader = new Reader()
    for (let seed = 0; seed < 2000; seed++) {
      const dice = random(seed)
      const text = inferText(dice)
      const bytes = damaged(dice, text)
      const [large, small] = await bothInfer(reader, bytes, dice.int(3) === 0 ? floats : signature)
      assert.deepStrictEqual(large, small, `seed ${seed}: ${text}`)
    }
    assert.isAbove(reader.ways.filter((one) => one === "scanned").length, 200)
    assert.isAbove(reader.ways.filter((one) => one === "refused").length, 200)
  })

  it("is read without values where it is plainly a request", async () => {
    const reader = new Reader()
    await bothPredict(
      reader,
      encode('{"version":null,"inputs":{"x":[[1.5]],"h":2},"outputs":[]}'),
      routeOf(signature),
      signature,
    )
    const input = '"name":"x","shape":[1,2]'
    for (const members of [
      `${input},"datatype":"FP32","data":[1,NaN]`,
      `"data":[[1,2]],${input},"datatype":"FP32"`,
    ])
      await bothInfer(reader, encode(`{"inputs":[{${members}}],"parameters":{"a":true}}`), signature)
    assert.deepStrictEqual(reader.ways, ["scanned", "scanned", "scanned"])
  })

  it("with much beside its tensors is left to the other way", async () => {
    const reader = new Reader()
    const text = `{"inputs":{"x":[[1]]},"more":"${"x".repeat(70_000)}"}`
    const [large, small] = await bothPredict(reader, encode(text), routeOf(signature), signature)
    assert.deepStrictEqual(large, small)
    assert.deepStrictEqual(reader.ways, ["whole"])
  })
})

describe("a body that would become too much", () => {
  it("is refused in words, whatever it is made of", async () => {
    const input = (index: number) => `{"name":"n${index}","datatype":"FP32","shape":[1],"data":[1]}`
    const tensors = Array.from({ length: 2000 }, (_, index) => input(index)).join(",")
    const arrays = "[],".repeat(1_100_000)
    for (const [text, message] of [
      [`{"inputs":[${tensors}]}`, /has 2000 of them, more than the 1024/],
      [`{"inputs":[],"more":[${arrays}0]}`, /more than 1048576 arrays, objects and strings/],
    ] as const) {
      const read = readLargeInfer(new Reader(), signature, encode(text), undefined, signal)
      const problem = await read.then(
        () => undefined,
        (error: unknown) => error,
      )
      assert.isTrue(isProblem(problem))
      assert.match(String(problem), message)
    }
  })
})

describe("the version that a body names", () => {
  const ints: Signature = { inputs: [{ name: "x", datatype: "INT64", shape: [-1, -1] }], outputs: [] }
  const text = '{"inputs":{"x":[[1,2]]},"version":2}'

  for (const [what, likely, reads] of [
    ["takes the datatypes that were likely", { inputs: [...ints.inputs], outputs: [] }, 1],
    ["takes others", floats, 2],
    ["is the only one there is", undefined, 2],
  ] as const)
    it(`decides how it is read, when it ${what}`, async () => {
      const reader = new Reader()
      const asked: Array<string | undefined> = []
      const read = await readLargePredict(
        reader,
        likely,
        (version) => {
          asked.push(version)
          return routeOf(ints, 2)
        },
        encode(text),
        signal,
      )
      assert.deepStrictEqual(read.inputs["x"]?.data, BigInt64Array.of(1n, 2n))
      assert.deepStrictEqual(asked, ["2"])
      assert.strictEqual(reader.ways.length, reads)
    })

  it("is refused before its inputs are", async () => {
    const noSuch = new Error("no such version")
    const refused = await readLargePredict(
      new Reader(),
      floats,
      () => {
        throw noSuch
      },
      encode('{"inputs":{"x":"?"},"version":9}'),
      signal,
    ).catch((error: unknown) => error)
    assert.strictEqual(refused, noSuch)
  })
})

it("is large by its JSON, not by the bytes behind it", () => {
  const body = new Uint8Array(100_000)
  assert.isTrue(isLarge(body))
  assert.isTrue(isLarge([body.subarray(0, 50_000), body.subarray(50_000)]))
  assert.isTrue(isLarge(body, 90_000))
  assert.isFalse(isLarge(body, 1000))
  assert.isFalse(isLarge(body, 0))
  assert.isFalse(isLarge(body.subarray(0, 64 * 1024)))
})

describe("the data plane with a large body", () => {
  const row = Array.from({ length: 5000 }, (_, index) => [index / 7, index])
  const text = JSON.stringify({ inputs: { x: row } })
  const textV2 = JSON.stringify({
    inputs: [{ name: "x", datatype: "FP32", shape: [5000, 2], data: row.flat() }],
  })

  const pieces = (whole: string) => {
    const bytes = new TextEncoder().encode(whole)
    return [bytes.slice(0, 1000), bytes.slice(1000, 70_000), bytes.slice(70_000)]
  }

  it.effect("is answered as any other, in one piece or several", () =>
    Effect.gen(function* () {
      const inference = new FakeInference()
      const dataPlane = yield* inference.dataPlane()
      const send = (body: unknown, options?: Ask) => Effect.promise(() => ask(dataPlane, body, options))
      const expected = Float32Array.from(row.flat())
      const seen: Array<unknown> = []
      const run = inference.run
      inference.run = (route, inputs, outputs, options) => {
        seen.push(inputs["x"])
        return run(
          route,
          { x: { datatype: "FP32", shape: [1, 2], data: Float32Array.of(1, 2) } },
          outputs,
          options,
        )
      }
      for (const body of [text, pieces(text)]) assert.strictEqual((yield* send(body)).status, 200)
      for (const body of [textV2, pieces(textV2)])
        assert.strictEqual((yield* send(body, { route: inferRoute })).status, 200)
      for (const tensor of seen)
        assert.deepStrictEqual(tensor, { datatype: "FP32", shape: [5000, 2], data: expected })
      assert.strictEqual(seen.length, 4)
    }),
  )

  it.effect("goes to the version that it names, and is refused in the same words", () =>
    Effect.gen(function* () {
      const inference = new FakeInference()
      const dataPlane = yield* inference.dataPlane()
      const send = (body: unknown, options?: Ask) => Effect.promise(() => ask(dataPlane, body, options))
      yield* send(text.replace("{", '{"version":7,'))
      assert.include(inference.routed, "digits/7")
      const invalid = yield* send(text.replace("[0,0]", '[0,"0"]'))
      assert.deepStrictEqual(JSON.parse(invalid.body).errors, [
        { path: "inputs.x[0][1]", message: 'expected a number for FP32, got the string "0"' },
      ])
      for (const [body, route] of [
        [text, predictRoute],
        [textV2, inferRoute],
      ] as const) {
        const broken = yield* send(body.slice(0, -1), { route })
        assert.strictEqual(broken.status, 400)
        assert.match(broken.body, /The body is not JSON/)
      }
      inference.noRoute = new ModelNotFound({ model: "digits" })
      assert.strictEqual((yield* send(text)).status, 404)
    }),
  )
})
