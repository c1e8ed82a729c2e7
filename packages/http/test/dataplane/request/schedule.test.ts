import { assert, describe, it } from "@effect/vitest"
import { readSchedule } from "../../../src/dataplane/request/schedule.ts"

class Refused extends Error {
  readonly path: string
  constructor(path: string, message: string) {
    super(message)
    this.path = path
  }
}

const read = (parameters: unknown) => readSchedule(parameters, (path, message) => new Refused(path, message))

describe("readSchedule", () => {
  it("gives the default place and time to requests that ask for neither", () => {
    for (const parameters of [undefined, null, {}, { other: 1 }, { priority: 0 }])
      assert.deepStrictEqual(
        { ...read(parameters), timeoutMs: undefined },
        {
          priority: 100,
          timeoutMs: undefined,
        },
      )
  })

  it("reads microseconds, and places from 1 for first", () =>
    assert.deepStrictEqual(read({ timeout: 1500, priority: 1 }), { timeoutMs: 1.5, priority: 1 }))

  it("names what it can't read", () => {
    for (const [parameters, path] of [
      [[], "parameters"],
      ["soon", "parameters"],
      [{ timeout: 0 }, "parameters.timeout"],
      [{ timeout: -1 }, "parameters.timeout"],
      [{ timeout: 1.5 }, "parameters.timeout"],
      [{ timeout: "1" }, "parameters.timeout"],
      [{ timeout: null }, "parameters.timeout"],
      [{ priority: -1 }, "parameters.priority"],
      [{ priority: 2 ** 60 }, "parameters.priority"],
      [{ priority: "high" }, "parameters.priority"],
    ] as const)
      try {
        read(parameters)
        assert.fail(JSON.stringify(parameters))
      } catch (error) {
        assert.instanceOf(error, Refused, JSON.stringify(parameters))
        assert.strictEqual(error.path, path, JSON.stringify(parameters))
      }
  })
})
