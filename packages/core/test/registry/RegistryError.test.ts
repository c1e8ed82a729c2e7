import { assert, it } from "@effect/vitest"
import { ArtifactTooLarge } from "../../src/artifacts/ArtifactError.ts"
import { UnusableModel } from "../../src/registry/ModelScanner.ts"
import {
  DigestMismatch,
  DuplicateVersion,
  ModelExists,
  ModelNotFound,
  RegistryError,
  type RegistryReason,
  StoreUnavailable,
  UploadInterrupted,
  VersionConflict,
  VersionNotFound,
} from "../../src/registry/RegistryError.ts"

const model = "digits"

const said: ReadonlyArray<readonly [RegistryReason, string]> = [
  [new ModelNotFound({ model }), 'There is no model "digits"'],
  [new ModelExists({ model }), 'There is a model "digits" already'],
  [new VersionNotFound({ model, version: "canary" }), 'Model "digits" has no version "canary"'],
  [new VersionNotFound({ model, version: null }), 'Model "digits" has no version that is ready'],
  [
    new DuplicateVersion({ model, version: 3, digest: "ab" }),
    'These bytes are version 3 of model "digits" already',
  ],
  [
    VersionConflict.inUse(model, 3, ["canary", "production"]),
    'Version 3 of model "digits" is in use: move or delete its aliases first ("canary", "production")',
  ],
  [
    VersionConflict.notReady(model, 3, "canary", "invalid"),
    'The alias "canary" can only point at a version that is ready: version 3 of model "digits" is invalid',
  ],
  [
    new DigestMismatch({ expected: "aa", actual: "bb" }),
    "The bytes received have the SHA-256 bb, not the announced aa: send the file again",
  ],
  [new ArtifactTooLarge({ limit: 10 }), "The file is larger than the 10 bytes this server takes"],
  [
    new UploadInterrupted({ detail: "the connection was reset" }),
    "The upload ended before the file was complete: the connection was reset",
  ],
  [new UnusableModel({ code: "empty", detail: "the file is empty" }), "the file is empty"],
]

for (const [reason, message] of said)
  it(`${reason._tag}: ${message}`, () => {
    assert.strictEqual(reason.message, message)
    assert.strictEqual(new RegistryError({ reason }).message, message)
  })

it("trouble with a store names the operation, never what the store said", () => {
  const reason = new StoreUnavailable({
    operation: "insertVersion",
    cause: new Error("postgres://user:secret@host"),
  })
  assert.strictEqual(
    new RegistryError({ reason }).message,
    'The registry\'s storage failed in "insertVersion"',
  )
})
