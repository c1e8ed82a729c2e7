/** Damaged and hostile files never do anything but be refused. A seeded slice; in full with MODELFORGE_SOAK=1. */
import { assert, describe, it } from "@effect/vitest"
import { ModelGraph } from "@modelforge/core"
import { Schema } from "effect"
import { random } from "../../../core/test/random.ts"
import { chunks } from "../chunks.ts"
import { damagedFile } from "../damagedFile.ts"
import * as onnx from "../onnxFile.ts"
import { outcome } from "./scanning.ts"

const rounds = process.env["MODELFORGE_SOAK"] === "1" ? 20_000 : 150

describe("OnnxScanner under mutation", () => {
  it("gives a result or a refusal, the same however the file is cut", { timeout: 3_600_000 }, () => {
    const codes = new Map<string, number>()
    for (let seed = 0; seed < rounds; seed++) {
      const generator = random(seed)
      const file = damagedFile(generator)
      // Anything else that is thrown is a defect, and fails here.
      const whole = outcome([file])
      assert.deepStrictEqual(outcome(chunks(file, generator)), whole, `seed ${seed}`)
      if (whole !== null && typeof whole === "object" && "graph" in whole) {
        assert.isTrue(Schema.is(ModelGraph)(whole.graph), `seed ${seed}: not a graph`)
        assert.isBelow(JSON.stringify(whole.graph).length, 5 * 1024 * 1024, `seed ${seed}`)
      }
      const code = whole !== null && typeof whole === "object" && "code" in whole ? String(whole.code) : "ok"
      codes.set(code, (codes.get(code) ?? 0) + 1)
    }
    for (const code of ["ok", "malformed", "truncated", "not-onnx"]) {
      assert.isAbove(codes.get(code) ?? 0, 0, `no mutation came to ${code}: the mutations are too weak`)
    }
  })

  it("holds nothing of a file's weights", () => {
    const megabyte = new Uint8Array(1024 * 1024)
    const total = 512
    const raw = onnx.concat(onnx.varint(9 * 8 + 2), onnx.varint(total * megabyte.length))
    const tensor = onnx.concat(onnx.int(1, total * megabyte.length), onnx.int(2, 2), onnx.bytes(8, "w"), raw)
    const head = onnx.concat(
      onnx.varint(5 * 8 + 2),
      onnx.varint(tensor.length + total * megabyte.length),
      tensor,
    )
    const rest = onnx.graph({
      nodes: [onnx.node("Identity", ["w"], ["y"])],
      outputs: [onnx.value("y", onnx.elementType.UINT8, [total * megabyte.length])],
    })
    const graphLength = head.length + total * megabyte.length + rest.length
    const before = process.memoryUsage()
    let most = 0
    const file = function* () {
      yield onnx.concat(
        onnx.int(1, 8),
        onnx.opset("", 17),
        onnx.varint(7 * 8 + 2),
        onnx.varint(graphLength),
        head,
      )
      for (let index = 0; index < total; index++) {
        yield megabyte
        most = Math.max(most, process.memoryUsage().arrayBuffers - before.arrayBuffers)
      }
      yield rest
    }
    const result = outcome(file())
    assert.deepInclude(result, {
      signature: {
        inputs: [],
        outputs: [{ name: "y", datatype: "UINT8", shape: [total * megabyte.length] }],
      },
    })
    assert.isBelow(most, 8 * megabyte.length)
  })
})
