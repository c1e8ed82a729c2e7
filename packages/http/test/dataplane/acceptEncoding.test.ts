import { assert, describe, it } from "@effect/vitest"
import { acceptedCoding } from "../../src/dataplane/acceptEncoding.ts"

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
      assert.strictEqual(acceptedCoding(header, 10), coding, header)
  })

  it("leaves small answers alone where the header only lists what a library knows", () => {
    for (const header of ["gzip, deflate", "gzip, deflate, br", "gzip, compress, deflate, br"]) {
      assert.isUndefined(acceptedCoding(header, 1023), header)
      assert.strictEqual(acceptedCoding(header, 1024), "gzip", header)
    }
    assert.strictEqual(acceptedCoding("deflate, br", 5000), "deflate")
    assert.isUndefined(acceptedCoding("gzip, identity", 5000))
  })

  it("spends nothing on a header of any length", () => {
    assert.isUndefined(acceptedCoding(`${"a,".repeat(8000)}gzip`, 5000))
  })
})
