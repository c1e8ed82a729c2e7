import { assert, describe, it } from "@effect/vitest"
import { errorText } from "../../src/runner/errorText.ts"

const file = "/srv/models/ab/abcdef"
const text = (message: string) => errorText(new Error(message), file)

describe("errorText", () => {
  it("says what failed, without where the file and the runtime's sources are", () => {
    for (const [message, said] of [
      [`Load model from ${file} failed:Protobuf parsing failed.`, "Protobuf parsing failed."],
      [
        `Load model from ${file} failed. File doesn't exist`,
        "Load model from the file failed. File doesn't exist",
      ],
      [`open /srv/models/ab/other: denied`, "open …/other: denied"],
      [
        "Load model from /srv/models/ab/abcdef failed:/onnxruntime_src/onnxruntime/core/graph/model.cc:191 onnxruntime::Model::Model(onnx::ModelProto&&, const onnxruntime::PathString&) Missing opset in the model. All ModelProtos MUST have one.\n",
        "Missing opset in the model. All ModelProtos MUST have one.",
      ],
      [
        "Non-zero status code returned while running Reshape node. Name:'/model/r' Status Message: /onnxruntime_src/onnxruntime/core/providers/cpu/tensor/reshape_helper.h:91 onnxruntime::ReshapeHelper::ReshapeHelper(const onnxruntime::TensorShape&, bool) a == b was false. Shapes (3) and (4)\n",
        "the Reshape node failed. Name:'/model/r' a == b was false. Shapes (3) and (4)",
      ],
    ] as const) {
      assert.strictEqual(text(message), said)
    }
  })

  it("bounds the length, and takes anything", () => {
    assert.lengthOf(text("x ".repeat(2000)), 600)
    assert.strictEqual(errorText("odd", file), "odd")
  })
})
