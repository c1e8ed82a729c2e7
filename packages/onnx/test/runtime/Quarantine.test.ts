import { assert, describe, it } from "@effect/vitest"
import { Quarantine } from "../../src/runtime/Quarantine.ts"

const make = () => {
  let now = 0
  const quarantine = new Quarantine({ crashes: 3, withinMs: 1000, holdOffMs: 500 }, () => now)
  return {
    quarantine,
    after: (ms: number) => {
      now += ms
    },
    crash: (times: number) => {
      for (let count = 0; count < times; count++) quarantine.crashed("signal SIGSEGV")
    },
  }
}

describe("Quarantine", () => {
  it("holds a model off that crashed so many runners within a time", () => {
    const { quarantine, after, crash } = make()
    crash(2)
    assert.isUndefined(quarantine.refusal())
    after(999)
    crash(1)
    const refusal = quarantine.refusal()
    assert.strictEqual(refusal?.reason._tag, "LoadFailed")
    assert.strictEqual(
      refusal?.message,
      "The model could not be loaded: it crashed the runtime 3 times (signal SIGSEGV); upload a fixed version or load it again",
    )
  })

  it("forgets crashes that lie apart", () => {
    const { quarantine, after, crash } = make()
    for (let count = 0; count < 10; count++) {
      crash(2)
      assert.isUndefined(quarantine.refusal())
      after(1000)
    }
  })

  it("lets one attempt pass after a while, and all when it does no harm", () => {
    const { quarantine, after, crash } = make()
    crash(3)
    after(499)
    assert.isDefined(quarantine.refusal())
    after(1)
    assert.isUndefined(quarantine.refusal())
    assert.isDefined(quarantine.refusal())
    quarantine.passed(true)
    assert.isUndefined(quarantine.refusal())
    assert.isUndefined(quarantine.refusal())
    crash(2)
    assert.isUndefined(quarantine.refusal())
  })

  it("holds it off again when the attempt crashes, and lets another pass when it proves nothing", () => {
    const { quarantine, after, crash } = make()
    crash(3)
    after(2000)
    assert.isUndefined(quarantine.refusal())
    crash(1)
    assert.match(quarantine.refusal()?.message ?? "", /crashed the runtime again/)
    assert.strictEqual(quarantine.error, quarantine.refusal())
    after(500)
    assert.isUndefined(quarantine.refusal())
    quarantine.passed(false)
    assert.isUndefined(quarantine.refusal())
    assert.isDefined(quarantine.refusal())
  })

  it("takes no notice of what passes while nothing is held off", () => {
    const { quarantine, crash } = make()
    crash(2)
    quarantine.passed(true)
    crash(1)
    quarantine.passed(true)
    assert.isDefined(quarantine.refusal())
  })
})
