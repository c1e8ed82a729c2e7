import { assert, it } from "@effect/vitest"
import { InferenceError, InvalidInputs, VersionUnavailable } from "../../src/inference/InferenceError.ts"
import {
  LoadFailed,
  RunFailed,
  RunnerLost,
  RunnerUnavailable,
  RuntimeError,
} from "../../src/inference/ModelRuntime.ts"

const detail = "out of memory"

it("failures of a runtime say what failed and why", () => {
  const said = [
    [new LoadFailed({ detail }), "The model could not be loaded: out of memory"],
    [new RunFailed({ detail }), "The model failed on these inputs: out of memory"],
    [new RunnerLost({ detail }), "The runner of this model went away: out of memory"],
    [new RunnerUnavailable({ detail }), "No runner could be started: out of memory"],
  ] as const
  for (const [reason, message] of said) {
    assert.strictEqual(new RuntimeError({ reason }).message, message)
    assert.strictEqual(new InferenceError({ reason }).message, message)
  }
})

it("a version that can't answer says its state, and why when that is known", () => {
  const version = { model: "digits", version: 2, detail: null } as const
  assert.strictEqual(
    new VersionUnavailable({ ...version, state: "archived" }).message,
    'Version 2 of model "digits" is not ready, it is archived',
  )
  assert.strictEqual(
    new VersionUnavailable({ ...version, state: "invalid", detail }).message,
    'Version 2 of model "digits" is not ready, it is invalid: out of memory',
  )
})

it("inputs that do not fit are told together", () => {
  const issues = [
    { path: "inputs.x", message: "missing" },
    { path: "outputs[0]", message: "unknown" },
  ] as const
  assert.strictEqual(
    new InvalidInputs({ model: "digits", issues }).message,
    'The request does not fit the signature of model "digits": inputs.x: missing; outputs[0]: unknown',
  )
})
