/** Section 1.3: every datatype, both ways, in JSON and as bytes. */
import { assert } from "@effect/vitest"
import * as onnx from "../../../onnx/test/onnxFile.ts"
import type { InferInput } from "./client.ts"
import type { Datatype, Element } from "./clientTensors.ts"
import {
  dataOf,
  errorOf,
  fillersBeside,
  fillersJson,
  post,
  type Rule,
  refusalOf,
  servedDatatypes,
  type World,
} from "./world.ts"

const text = (value: string) => new TextEncoder().encode(value)

/** The ends of each range, and what is odd in between. */
const samples: Readonly<Record<(typeof servedDatatypes)[number], ReadonlyArray<Element>>> = {
  BOOL: [true, false],
  UINT8: [0, 255],
  UINT16: [0, 65_535],
  UINT32: [0, 4_294_967_295],
  UINT64: [0n, 2n ** 53n + 1n, 2n ** 64n - 1n],
  INT8: [-128, 127],
  INT16: [-32_768, 32_767],
  INT32: [-2_147_483_648, 2_147_483_647],
  INT64: [-(2n ** 63n), -(2n ** 53n) - 1n, 2n ** 63n - 1n],
  FP16: [0, 1.5, -65_504, 2 ** -24, Infinity, -Infinity, Number.NaN],
  FP32: [0, 1.5, 2 ** -149, -((2 - 2 ** -23) * 2 ** 127), Infinity, -Infinity, Number.NaN],
  FP64: [Math.PI, 5e-324, Number.MAX_VALUE, Infinity, -Infinity, Number.NaN],
  BYTES: [text(""), text("plain"), text('"quoted"\n\t\\'), text("größer 𝄞"), text("\ufeffmark")],
}

/** Sends elements of one datatype to the model that gives all back, and nothing of the others. */
const echo = async (
  { client }: World,
  datatype: Datatype,
  data: ReadonlyArray<Element>,
  binary: { readonly input: boolean; readonly output: boolean },
): Promise<ReadonlyArray<Element>> => {
  const tested: InferInput = { name: datatype, datatype, shape: [data.length], data, binary: binary.input }
  const inputs = [tested, ...fillersBeside(datatype)]
  const output = `${datatype}_out`
  const answer = await client.infer("every", { inputs, outputs: [{ name: output, binary: binary.output }] })
  assert.deepStrictEqual(
    answer.outputs.map((given) => given.binary),
    [binary.output],
  )
  return dataOf(answer, output).map((element) =>
    element instanceof Uint8Array ? new Uint8Array(element) : element,
  )
}

const roundTrips = servedDatatypes.flatMap((datatype): ReadonlyArray<Rule> => {
  const data = samples[datatype]
  const ways = [true, false]
  return ways.flatMap((input) =>
    ways.map((output): Rule => {
      const way = `${input ? "bytes" : "JSON"} to ${output ? "bytes" : "JSON"}`
      return [
        `1.3 ${datatype}: ${way}, every element as it was`,
        async (world) => {
          assert.deepStrictEqual(await echo(world, datatype, data, { input, output }), data)
        },
      ]
    }),
  )
})

/** JSON that is no element of the datatype. */
const refused: Readonly<Partial<Record<Datatype, ReadonlyArray<string>>>> = {
  BOOL: ["0", "1", '"true"', "null"],
  UINT8: ["256", "-1", "1.5", "true", '"1"', "null", "NaN"],
  INT8: ["128", "-129"],
  UINT16: ["65536", "-1"],
  INT16: ["32768", "-32769"],
  UINT32: ["4294967296", "-1", "1.5", "true", '"1"'],
  INT32: ["2147483648", "-2147483649", "1e20"],
  UINT64: ["18446744073709551616", "-1", "1.5", "true", "9".repeat(400)],
  INT64: ["9223372036854775808", "-9223372036854775809", "0.1", '"5"'],
  FP32: ["true", '"1"', "null", "1e39"],
  FP64: ["true", '"1.5"', "[]", "{}"],
  BYTES: ["1", "true", "null", "{}"],
}

const refusals = Object.entries(refused).map(
  ([datatype, elements]): Rule => [
    `1.3 ${datatype}: elements that are none are refused, never coerced or cut: ${elements.map((element) => element.slice(0, 20)).join(" ")}`,
    async (world) => {
      const others = fillersJson(datatype)
      for (const element of elements) {
        const input = `{"name":"${datatype}","datatype":"${datatype}","shape":[1],"data":[${element}]}`
        const message = errorOf(await post(world, "every", `{"inputs":[${input},${others}]}`), 400)
        assert.include(message, datatype, element)
      }
    },
  ],
)

export const datatypeRules: ReadonlyArray<Rule> = [
  ...roundTrips,
  ...refusals,
  [
    "1.3 UINT64 INT64: exact beyond 2^53 in a large request too, as exponents and as -0",
    async (world) => {
      const data = Array.from({ length: 5000 }, (_, index) => 2n ** 62n + BigInt(index))
      for (const binary of [true, false])
        assert.deepStrictEqual(await echo(world, "INT64", data, { input: false, output: binary }), data)
      const answer = await post(
        world,
        "wide",
        '{"inputs":[{"name":"x","datatype":"INT64","shape":[3],"data":[1e3,-0,9007199254740993]}]}',
      )
      assert.include(answer.body.toString(), '"data":[1000,0,9007199254740993]')
    },
  ],
  [
    "1.3 FP32 FP64: a bare NaN, Infinity and -Infinity is read and written in a large request too",
    async (world) => {
      const data = Array.from(
        { length: 12_000 },
        (_, index) => [Number.NaN, Infinity, -Infinity, 1][index % 4] ?? 0,
      )
      for (const datatype of ["FP32", "FP64"] as const)
        assert.deepStrictEqual(await echo(world, datatype, data, { input: false, output: false }), data)
    },
  ],
  [
    "1.3 FP16: in JSON T and K refuse it, and the protocol only warns: here numbers go both ways",
    async (world) => {
      const others = fillersJson("FP16")
      const body = (data: string) =>
        `{"inputs":[{"name":"FP16","datatype":"FP16","shape":[3],"data":${data}},${others}],"outputs":[{"name":"FP16_out"}]}`
      assert.include(
        (await post(world, "every", body("[1.5,NaN,-65504]"))).body.toString(),
        "[1.5,NaN,-65504]",
      )
      errorOf(await post(world, "every", body("[1,2,65536]")), 400)
    },
  ],
  [
    "1.3 BF16: onnxruntime-node can't carry it, so a model that takes it is refused at the upload, with the reason",
    async ({ upload }) => {
      const { status, text } = await upload("half", onnx.identity(onnx.elementType.BF16))
      assert.strictEqual(status, 422, text)
      assert.match(text, /bfloat16/i)
    },
  ],
  [
    "1.3 BF16: as a datatype of a request it is known, and no model's",
    async ({ client }) => {
      const input = { name: "x", datatype: "BF16", shape: [2], data: [1, 2], binary: true } as const
      assert.match(await refusalOf(client.infer("wide", { inputs: [input] }), 400), /data-type is 'BF16'/)
    },
  ],
  [
    "1.3 BYTES: strings with NUL or bytes that are no UTF-8 are refused, because onnxruntime-node would cut or change them",
    async ({ client }) => {
      for (const bytes of [Uint8Array.of(0x61, 0, 0x62), Uint8Array.of(0xff, 0xfe)]) {
        const input = { name: "x", datatype: "BYTES", shape: [1], data: [bytes], binary: true } as const
        assert.match(await refusalOf(client.infer("word", { inputs: [input] }), 400), /NUL|UTF-8/)
      }
    },
  ],
  [
    "1.3 every datatype in one request, some as JSON and some as bytes",
    async ({ client }) => {
      const asBytes = (name: string) => name.length % 2 === 0
      const inputs = servedDatatypes.map(
        (name): InferInput => ({
          name,
          datatype: name,
          shape: [samples[name].length],
          data: samples[name],
          binary: asBytes(name),
        }),
      )
      const outputs = servedDatatypes.map((name) => ({
        name: `${name}_out`,
        binary: !asBytes(name),
      }))
      const answer = await client.infer("every", { inputs, outputs })
      for (const name of servedDatatypes)
        assert.deepStrictEqual(
          dataOf(answer, `${name}_out`).map((one) => (one instanceof Uint8Array ? new Uint8Array(one) : one)),
          samples[name],
          name,
        )
    },
  ],
]
