import { assert, it } from "@effect/vitest"
import { ModelName } from "../../src/model/Names.ts"
import type { Signature } from "../../src/model/Signature.ts"
import { VersionNumber } from "../../src/model/Version.ts"
import { unusableSample } from "../../src/registry/unusableSample.ts"

const model = ModelName.make("digits")

const taking = (version: number, datatype: "FP32" | "BYTES") => ({
  version: VersionNumber.make(version),
  signature: { inputs: [{ name: "x", datatype, shape: ["batch", 2] }], outputs: [] } satisfies Signature,
})
const floats = taking(1, "FP32")
const words = taking(2, "BYTES")

const refused = (inputs: Record<string, unknown> | undefined, versions: ReadonlyArray<typeof floats>) =>
  unusableSample(model, inputs === undefined ? {} : { warmup: { inputs } }, versions)?.message

it("a sample that any version takes is taken, and what no version can tell", () => {
  assert.isUndefined(refused({ x: [[1, 2]] }, [floats, words]))
  assert.isUndefined(refused({ x: [["a", "b"]] }, [floats, words]))
  assert.isUndefined(refused({ any: 1 }, []))
  assert.isUndefined(refused(undefined, [floats]))
})

it("of one that none takes it is said where the newest does not, and why", () => {
  assert.match(
    refused({ x: [[1, 2, 3]] }, [floats, words]) ?? "",
    /^warmup\.inputs\.x.*: .* \(of version 2; no ready version takes this sample\)$/,
  )
  assert.match(refused({}, [floats]) ?? "", /^warmup\.inputs\.x: .* \(of version 1; /)
  assert.match(refused({ x: [[1, 2]], y: 1 }, [floats]) ?? "", /^warmup\.inputs\.y: /)
})
