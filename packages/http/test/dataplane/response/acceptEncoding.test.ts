import { assert, describe, it } from "@effect/vitest"
import { acceptedCoding } from "../../../src/dataplane/response/acceptEncoding.ts"

const large = "x".repeat(1024)

describe("acceptedCoding", () => {
  it("is the coding of the greatest weight", () => {
    for (const [header, coding] of [
      ["gzip", "gzip"],
      ["deflate", "deflate"],
      [" GZip ", "gzip"],
      ["identity", undefined],
      ["br", undefined],
      ["zstd", undefined],
      ["*", undefined],
      ["", undefined],
      ["gzip;q=0", undefined],
      ["gzip;q=0.000", undefined],
      ["gzip;q=0.5, deflate;q=0.9", "deflate"],
      ["deflate;q=0.5, gzip;q=0.5", "gzip"],
      ["gzip;q=0.5, identity;q=0.5", undefined],
      ["gzip;q=0.5, identity;q=0.4", "gzip"],
      ["identity;q=0, gzip;q=0.1", "gzip"],
      ["br;q=1, deflate;q=0.2", "deflate"],
      ["gzip ; q = 0.3 , deflate;Q=0.4", "deflate"],
      ["gzip;level=9", "gzip"],
      ["gzip;q=x", "gzip"],
      ["gzip;q=1.2.3", undefined],
    ] as const)
      assert.strictEqual(acceptedCoding(header, "text"), coding, header)
  })

  it("leaves small answers and bytes alone where the header only lists what a library knows", () => {
    for (const header of ["gzip, deflate", "gzip, deflate, br", "gzip, compress, deflate, br"]) {
      assert.isUndefined(acceptedCoding(header, "x".repeat(1023)), header)
      assert.strictEqual(acceptedCoding(header, large), "gzip", header)
    }
    assert.isUndefined(acceptedCoding("gzip, deflate", [new Uint8Array(5000)]))
    assert.strictEqual(acceptedCoding("gzip", [new Uint8Array(5000)]), "gzip")
    assert.strictEqual(acceptedCoding("deflate, br", large), "deflate")
    assert.isUndefined(acceptedCoding("gzip, identity", large))
  })

  it("spends nothing on a header of any length", () => {
    assert.isUndefined(acceptedCoding(`${"a,".repeat(8000)}gzip`, large))
  })
})
