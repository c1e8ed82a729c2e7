/** The schemas made of a signature take what the server takes of random requests, and refuse what it refuses. */
import { assert, describe, it } from "@effect/vitest"
import { inferRequestSchema, predictRequestSchema } from "@modelforge/api"
import {
  checkInputs,
  Datatype,
  type Dimension,
  nestedInputs,
  type Signature,
  type TensorSpec,
} from "@modelforge/core"
import { Ajv2020 } from "ajv/dist/2020.js"
import { Result } from "effect"
import { type Random, random } from "../../core/test/random.ts"
import { noBinary } from "../src/dataplane/request/binarySection.ts"
import { readInfer } from "../src/dataplane/request/inferRequest.ts"

/** 0 only innermost: further out it hides how deep the nesting is. A name once: a schema can't compare sizes. */
const dimension = (next: Random, axis: number, rank: number, name: string): Dimension =>
  next.pick<Dimension>([1, 2, 3, -1, `${name}${axis}`, ...(axis === rank - 1 ? [0] : [])])

const specOf = (next: Random, name: string): TensorSpec => {
  const rank = next.int(5)
  const shape = Array.from({ length: rank }, (_, axis) => dimension(next, axis, rank, name))
  return { name, datatype: next.pick(Datatype.literals), shape }
}

const good: Readonly<Record<Datatype, ReadonlyArray<unknown>>> = {
  BOOL: [true, false],
  UINT8: [0, 255],
  UINT16: [0, 65_535],
  UINT32: [0, 4_294_967_295],
  UINT64: [0, Number.MAX_SAFE_INTEGER],
  INT8: [-128, 127],
  INT16: [-32_768, 32_767],
  INT32: [-2_147_483_648, 2_147_483_647],
  INT64: [Number.MIN_SAFE_INTEGER, 7],
  FP16: [-65_504, 0.5, 65_504],
  BF16: [-3e38, 0.5, 3e38],
  FP32: [-3.4e38, 0.5, 3.4e38],
  FP64: [-1e308, 0.5],
  BYTES: ["", "é"],
}

const bad: Readonly<Record<Datatype, ReadonlyArray<unknown>>> = {
  BOOL: [1, "true", null],
  UINT8: [-1, 256, 0.5, "1", true],
  UINT16: [-1, 65_536, 0.5],
  UINT32: [-1, 4_294_967_296],
  UINT64: [-1, 0.5, "1"],
  INT8: [-129, 128],
  INT16: [-32_769, 32_768],
  INT32: [2_147_483_648, null],
  INT64: [0.5, "7", true],
  FP16: [70_000, "NaN"],
  BF16: [3.41e38, null],
  FP32: [3.5e38, "Infinity", false],
  FP64: ["0.5", null, {}],
  BYTES: [1, null, true],
}

const sizesOf = (next: Random, { shape }: TensorSpec) =>
  shape.map((size, axis) =>
    typeof size === "number" && size >= 0
      ? size
      : axis === shape.length - 1 && axis > 0
        ? next.int(4)
        : 1 + next.int(3),
  )

/** Elements nested along sizes. One of them may be something else. */
const nest = (sizes: ReadonlyArray<number>, element: () => unknown): unknown => {
  const [size, ...inner] = sizes
  return size === undefined ? element() : Array.from({ length: size }, () => nest(inner, element))
}

interface Tensor {
  readonly name: string
  readonly datatype: Datatype
  readonly sizes: ReadonlyArray<number>
  readonly element: () => unknown
}

/** A tensor that fits, or one that is wrong somewhere. */
const tensorOf = (next: Random, spec: TensorSpec): Tensor => {
  const sizes = sizesOf(next, spec)
  const fitting = { ...spec, sizes, element: () => next.pick(good[spec.datatype]) }
  switch (next.int(8)) {
    case 0:
      return { ...fitting, sizes: [...sizes, 1] }
    case 1:
      return { ...fitting, sizes: sizes.slice(1) }
    case 2: {
      const at = next.int(sizes.length + 1)
      return { ...fitting, sizes: sizes.map((size, axis) => (axis === at ? size + 1 : size)) }
    }
    case 3: {
      const odd = next.pick(bad[spec.datatype])
      let left = 1
      return { ...fitting, element: () => (left-- === 1 ? odd : next.pick(good[spec.datatype])) }
    }
    default:
      return fitting
  }
}

const ajv = new Ajv2020({ strict: false, validateFormats: false })

const acceptsPredict = (signature: Signature, inputs: Readonly<Record<string, unknown>>) => {
  const tensors = nestedInputs({ model: "m", signature }, inputs)
  return Result.isSuccess(tensors) && checkInputs(signature, tensors.success, []).length === 0
}

const acceptsInfer = (signature: Signature, body: unknown) => {
  try {
    return checkInputs(signature, readInfer(body, noBinary).inputs, []).length === 0
  } catch {
    return false
  }
}

describe("schemas of a signature", () => {
  // Compiling a schema takes longer than a hundred requests.
  const [schemas, requests] = [30, 60]

  it("take and refuse what the server does", () => {
    const seen = { predict: [0, 0], infer: [0, 0] }
    for (let seed = 1; seed <= schemas; seed++) {
      const next = random(seed)
      const inputs = Array.from({ length: 1 + next.int(3) }, (_, index) => specOf(next, `in${index}`))
      const signature: Signature = { inputs, outputs: [{ name: "out", datatype: "FP32", shape: [-1] }] }
      const takesPredict = ajv.compile(predictRequestSchema(signature))
      const takesInfer = ajv.compile(inferRequestSchema(signature))
      for (let request = 0; request < requests; request++) {
        const tensors = inputs.map((spec) => tensorOf(next, spec))
        if (next.int(10) === 0) tensors.pop()
        const extra = tensors[0]
        if (extra !== undefined && next.int(10) === 0) tensors.push({ ...extra, name: "other" })
        const agree = (schema: boolean, served: boolean, body: unknown) => {
          if (schema !== served)
            assert.fail(`seed ${seed}.${request}: served ${served}: ${JSON.stringify([body, inputs])}`)
        }

        const nested = Object.fromEntries(
          tensors.map(({ name, sizes, element }) => [name, nest(sizes, element)]),
        )
        const predict = acceptsPredict(signature, nested)
        agree(takesPredict({ inputs: nested }), predict, nested)
        seen.predict[Number(predict)] = (seen.predict[Number(predict)] ?? 0) + 1

        const asNested = next.int(2) === 0
        const body = {
          inputs: tensors.map(({ name, datatype, sizes, element }) => {
            const value = nest(sizes, element)
            const flat = [value].flat(Number.POSITIVE_INFINITY)
            return { name, datatype, shape: sizes, data: asNested && sizes.length > 1 ? value : flat }
          }),
        }
        const infer = acceptsInfer(signature, body)
        agree(takesInfer(body), infer, body)
        seen.infer[Number(infer)] = (seen.infer[Number(infer)] ?? 0) + 1
      }
    }
    // Both kinds, or the test would say nothing.
    for (const [refused = 0, taken = 0] of Object.values(seen)) {
      assert.isAbove(refused, (schemas * requests) / 5)
      assert.isAbove(taken, (schemas * requests) / 5)
    }
  })

  it("are schemas also for a signature without inputs, and for names of any kind", () => {
    const odd = (name: string): TensorSpec => ({ name, datatype: "FP32", shape: [] })
    for (const inputs of [[], [odd("__proto__"), odd("a/b~c"), odd("$ref"), odd("é \u0000")]])
      for (const outputs of [[], inputs])
        for (const schema of [predictRequestSchema, inferRequestSchema])
          assert.isFunction(ajv.compile(schema({ inputs, outputs })))
  })
})
