import { assert, describe, it } from "@effect/vitest"
import {
  InferenceError,
  InvalidInputs,
  ModelNotFound,
  RegistryError,
  RunnerLost,
  UnusableModel,
} from "@modelforge/core"
import { DataFolderInUse, EmbeddedPostgresError } from "@modelforge/postgres"
import { ModelForgeError, toModelForgeError } from "../src/ModelForgeError.ts"

const asThrown = (error: unknown) => {
  const thrown = toModelForgeError(error)
  assert.instanceOf(thrown, ModelForgeError)
  return thrown
}

describe("toModelForgeError", () => {
  it("names the reason in a code, and keeps its message and the error", () => {
    const error = new RegistryError({ reason: new ModelNotFound({ model: "digits" }) })
    const thrown = asThrown(error)
    assert.strictEqual(thrown.code, "model-not-found")
    assert.strictEqual(thrown.message, 'There is no model "digits"')
    assert.strictEqual(thrown.cause, error)
    assert.deepStrictEqual(thrown.issues, [])
    assert.strictEqual(String(thrown), 'ModelForgeError: There is no model "digits"')
  })

  it("says what is wrong with the inputs, one by one", () => {
    const issues = [
      { path: "inputs.a", message: "is missing" },
      { path: "inputs.b", message: "is unknown" },
    ] as const
    const thrown = asThrown(new InferenceError({ reason: new InvalidInputs({ model: "m", issues }) }))
    assert.strictEqual(thrown.code, "invalid-inputs")
    assert.deepStrictEqual(thrown.issues, issues)
  })

  it("has a code for every other reason", () => {
    const codes = [
      [new InferenceError({ reason: new RunnerLost({ detail: "signal SIGSEGV" }) }), "runner-lost"],
      [
        new RegistryError({ reason: new UnusableModel({ code: "empty", detail: "The file is empty" }) }),
        "unusable-model",
      ],
      [
        new EmbeddedPostgresError({
          reason: new DataFolderInUse({
            dataDirectory: "/data",
            pid: 1,
            owner: "another ModelForge process",
          }),
        }),
        "data-folder-in-use",
      ],
    ] as const
    for (const [error, code] of codes) assert.strictEqual(asThrown(error).code, code)
  })

  it("leaves alone what is not the engine's: an aborted signal, a bug, an error of its own", () => {
    const own = new ModelForgeError("invalid-name", "no")
    for (const error of [
      new DOMException("stop", "AbortError"),
      new TypeError("bug"),
      own,
      "text",
      undefined,
    ])
      assert.strictEqual(toModelForgeError(error), error)
  })
})
