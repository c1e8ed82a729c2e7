import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Result, Schema } from "effect"
import type { Datatype } from "../../src/model/Datatype.ts"
import { elementCount, type Tensor } from "../../src/model/Tensor.ts"
import { fromElements, fromNested, type NestedValue, toNested } from "../../src/tensors/nested.ts"

const read = (datatype: Datatype, value: unknown): Tensor =>
  Result.getOrThrowWith(fromNested(datatype, value, "inputs.x"), (issue) => new Error(issue.message))

const refusal = (result: Result.Result<Tensor, { readonly path: string; readonly message: string }>) =>
  Result.match(result, {
    onFailure: ({ path, message }) => `${path}: ${message}`,
    onSuccess: () => "it was taken",
  })

const integers = (minimum: number, maximum: number) =>
  Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum, maximum })))

/** Numbers as far as these are exact, like `toNested` gives them. */
const longIntegers = (minimum: bigint, maximum: bigint) =>
  Arbitrary.schema(Schema.BigInt.check(Schema.isBetweenBigInt({ minimum, maximum }))).pipe(
    Arbitrary.map((value) => (Number.isSafeInteger(Number(value)) ? Number(value) : value)),
  )

/** Values that the datatype holds exactly. */
const elements: { readonly [D in Datatype]: Arbitrary.Arbitrary<NestedValue> } = {
  BOOL: Arbitrary.schema(Schema.Boolean),
  UINT8: integers(0, 255),
  UINT16: integers(0, 65_535),
  UINT32: integers(0, 4_294_967_295),
  UINT64: longIntegers(0n, 2n ** 64n - 1n),
  INT8: integers(-128, 127),
  INT16: integers(-32_768, 32_767),
  INT32: integers(-2_147_483_648, 2_147_483_647),
  INT64: longIntegers(-(2n ** 63n), 2n ** 63n - 1n),
  FP16: Arbitrary.map(Arbitrary.schema(Schema.Finite), (value) => Math.f16round(value % 65_000)),
  BF16: Arbitrary.map(integers(-256, 256), (value) => value * 2 ** -20),
  FP32: Arbitrary.map(Arbitrary.schema(Schema.Finite), (value) => Math.fround(value % 1e38)),
  FP64: Arbitrary.schema(Schema.Number),
  BYTES: Arbitrary.schema(Schema.String.check(Schema.makeFilter((value) => value.isWellFormed()))),
}

const nest = (shape: ReadonlyArray<number>, flat: ReadonlyArray<NestedValue>): NestedValue => {
  const [size, ...inner] = shape
  if (size === undefined) return flat[0] ?? 0
  const step = elementCount(inner)
  return Array.from({ length: size }, (_, i) => nest(inner, flat.slice(i * step, (i + 1) * step)))
}

/** A shape that nesting can show (a zero can only come last), and as many elements as it holds. */
const nestings = (datatype: Datatype) =>
  Arbitrary.all([Arbitrary.array(integers(1, 4), { maxLength: 4 }), integers(0, 9)]).pipe(
    Arbitrary.map(([sizes, dice]) => (dice === 0 ? [...sizes, 0] : sizes)),
    Arbitrary.flatMap((shape) => {
      const length = elementCount(shape)
      return Arbitrary.map(
        Arbitrary.array(elements[datatype], { minLength: length, maxLength: length }),
        (flat) => ({ shape, flat, value: nest(shape, flat) }),
      )
    }),
  )

const datatypes = Object.keys(elements) as ReadonlyArray<Datatype>

for (const datatype of datatypes)
  describe(datatype, () => {
    it.prop("nested values come back as they were", [nestings(datatype)], ([{ shape, value }]) => {
      const tensor = read(datatype, value)
      assert.strictEqual(tensor.datatype, datatype)
      assert.deepStrictEqual(tensor.shape, shape)
      assert.strictEqual(tensor.data.length, elementCount(shape))
      assert.deepStrictEqual(toNested(tensor), value)
    })

    it.prop(
      "elements are the same tensor flat and nested",
      [nestings(datatype)],
      ([{ shape, flat, value }]) => {
        const expected = Result.succeed(read(datatype, value))
        assert.deepStrictEqual(fromElements(datatype, shape, flat, "x"), expected)
        if (Array.isArray(value)) assert.deepStrictEqual(fromElements(datatype, shape, value, "x"), expected)
      },
    )
  })

it("64-bit integers keep their ends", () => {
  const ends = [[-(2n ** 63n), 2n ** 63n - 1n]]
  assert.deepStrictEqual(read("INT64", ends).data, BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n))
  assert.deepStrictEqual(toNested(read("INT64", ends)), ends)
  assert.deepStrictEqual(toNested(read("UINT64", 2n ** 64n - 1n)), 2n ** 64n - 1n)
})

it("BYTES keep every character, a byte order mark and NUL too", () => {
  const value = ["", "é漢🦊", "\u{feff}mark", "a\u0000b", " \n"]
  assert.deepStrictEqual(toNested(read("BYTES", value)), value)
})

it("BYTES elements may be bytes, which nothing touches", () => {
  const bytes = Uint8Array.of(0xff, 0x00)
  assert.deepStrictEqual(read("BYTES", [bytes]).data, [bytes])
})

it("a bare value is a scalar, empty arrays are empty dimensions", () => {
  assert.deepStrictEqual(read("FP32", 1.5), { datatype: "FP32", shape: [], data: Float32Array.of(1.5) })
  assert.deepStrictEqual(read("FP32", []), { datatype: "FP32", shape: [0], data: new Float32Array(0) })
  assert.deepStrictEqual(read("BYTES", [[], []]), { datatype: "BYTES", shape: [2, 0], data: [] })
})

it("the first element that does not fit is named by its place", () => {
  const refuse = (datatype: Datatype, value: unknown) => refusal(fromNested(datatype, value, "inputs.x"))
  assert.strictEqual(
    refuse("FP32", [
      [1, 2],
      [3, "4"],
    ]),
    'inputs.x[1][1]: expected a number for FP32, got the string "4"',
  )
  assert.strictEqual(refuse("UINT8", [0, 256]), "inputs.x[1]: 256 is out of the range of UINT8, 0 to 255")
  assert.strictEqual(refuse("BYTES", [[5]]), "inputs.x[0][0]: expected a string for BYTES, got 5")
  assert.strictEqual(refuse("FP32", null), "inputs.x: expected a number for FP32, got null")
  assert.strictEqual(refuse("FP32", { length: 4 }), "inputs.x: expected a number for FP32, got an object")
})

it("ragged nesting is named by its place", () => {
  const refuse = (value: unknown) => refusal(fromNested("FP32", value, "inputs.x"))
  assert.strictEqual(
    refuse([[1, 2], [3]]),
    "inputs.x[1]: the nesting is ragged: expected an array of 2, got one of 1",
  )
  assert.strictEqual(refuse([[1], 2]), "inputs.x[1]: the nesting is ragged: expected an array of 1, got 2")
  assert.strictEqual(
    refuse([[[1], [2]], [[3]]]),
    "inputs.x[1]: the nesting is ragged: expected an array of 2, got one of 1",
  )
  assert.strictEqual(
    refuse([[], [1]]),
    "inputs.x[1]: the nesting is ragged: expected an array of 0, got one of 1",
  )
  assert.strictEqual(refuse([1, [2]]), "inputs.x[1]: expected a number for FP32, got an array of 1")
  assert.include(
    refuse(Object.assign(new Array(3), { 0: [1], 2: [2] })),
    "inputs.x[1]: the nesting is ragged",
  )
})

it("a nesting deeper than any model takes is refused, also one that holds itself", () => {
  const deep = (levels: number) => {
    let value: unknown = 1
    for (let i = 0; i < levels; i++) value = [value]
    return value
  }
  const circular: Array<unknown> = []
  circular.push(circular)
  assert.lengthOf(read("FP32", deep(32)).shape, 32)
  for (const value of [deep(33), deep(200_000), circular])
    assert.strictEqual(refusal(fromNested("FP32", value, "x")), "x: the nesting is deeper than 32 levels")
})

it("a first element that suggests more than there is costs nothing", () => {
  const wide = new Array<number>(4000).fill(0)
  // By their first elements these hold 4000^4 and 4000^3 elements; really 16 thousand.
  const firsts = [[[wide, ...wide], ...wide], ...wide]
  const flat = [[wide, ...wide], ...wide]
  for (const datatype of ["FP64", "BYTES"] as const)
    for (const value of [firsts, flat])
      assert.match(refusal(fromNested(datatype, value, "x")), /^x(\[0\])*\[1\]: the nesting is ragged/)
})

it("elements must be as many as the shape holds", () => {
  const refuse = (shape: ReadonlyArray<number>, values: ReadonlyArray<unknown>) =>
    refusal(fromElements("FP32", shape, values, "inputs[0].data"))
  assert.strictEqual(
    refuse([2, 2], [1, 2, 3]),
    "inputs[0].data: unexpected number of elements: 3, but the shape [2, 2] holds 4",
  )
  assert.strictEqual(
    refuse([], [1, 2]),
    "inputs[0].data: unexpected number of elements: 2, but the shape [] holds 1",
  )
  assert.strictEqual(
    refuse([1_000_000_000, 1_000_000_000], [1]),
    "inputs[0].data: unexpected number of elements: 1, but the shape [1000000000, 1000000000] holds 1000000000000000000",
  )
  assert.strictEqual(
    refuse([2, 2], [[1, 2]]),
    "inputs[0].data: the nesting is ragged: expected an array of 2, got one of 1",
  )
  assert.strictEqual(
    refuse([1_000_000_000, 1_000_000_000], [[1]]),
    "inputs[0].data: the nesting is ragged: expected an array of 1000000000, got one of 1",
  )
  assert.strictEqual(
    refuse([2], [1, [2]]),
    "inputs[0].data[1]: expected a number for FP32, got an array of 1",
  )
})

it("elements of an empty tensor and of a scalar", () => {
  assert.deepStrictEqual(
    fromElements("INT8", [0, 3], [], "x"),
    Result.succeed({ datatype: "INT8" as const, shape: [0, 3], data: new Int8Array(0) }),
  )
  assert.deepStrictEqual(
    fromElements("INT8", [], [7], "x"),
    Result.succeed({ datatype: "INT8" as const, shape: [], data: Int8Array.of(7) }),
  )
})

it("a shape that is none is refused", () => {
  const refuse = (shape: ReadonlyArray<number>) => refusal(fromElements("FP32", shape, [1, 2], "x"))
  assert.strictEqual(refuse([-1, -2]), "x: a shape holds integers from 0, not -1")
  assert.strictEqual(refuse([4, 0.5]), "x: a shape holds integers from 0, not 0.5")
  assert.strictEqual(refuse([Number.NaN]), "x: a shape holds integers from 0, not NaN")
  assert.strictEqual(refuse([2 ** 60]), "x: a shape holds integers from 0, not 1152921504606847000")
})

it("a shape of more dimensions than any model has is refused before anything walks it", () => {
  let value: ReadonlyArray<unknown> = [1]
  for (let i = 1; i < 100_000; i++) value = [value]
  const shape = new Array<number>(100_000).fill(1)
  assert.strictEqual(
    refusal(fromElements("FP32", shape, value, "x")),
    "x: the shape has 100000 dimensions, more than 32",
  )
})
