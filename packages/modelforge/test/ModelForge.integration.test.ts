import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import type { Tensor } from "@modelforge/core"
import { exampleModels, wineInputs } from "@modelforge/example-models"
import { ModelForge, ModelForgeError } from "modelforge"
import { vi } from "vitest"
import { exampleVectors } from "../../onnx/test/exampleModels.ts"
import * as onnx from "../../onnx/test/onnxFile.ts"
import { processesOf } from "../../postgres/test/embedded/harness.ts"
import { slowModel } from "./command/slowModel.ts"

const { elementType: type } = onnx

const folders: Array<string> = []
const newFolder = () => {
  const folder = mkdtempSync(join(tmpdir(), "mf-library-"))
  folders.push(folder)
  return folder
}

afterAll(() => {
  for (const folder of folders) {
    assert.deepStrictEqual(processesOf(folder), [])
    rmSync(folder, { recursive: true, force: true })
  }
})

const example = (name: string) => {
  const found = exampleModels.find((model) => model.name === name)
  if (found === undefined) throw new Error(`no example is named ${name}`)
  return found.file
}

/** The error that a promise rejects with, which must be ours. */
const errorOf = async (promise: Promise<unknown>): Promise<ModelForgeError> => {
  const error = await promise.then(
    () => assert.fail("it did not fail"),
    (error: unknown) => error,
  )
  assert.instanceOf(error, ModelForgeError, String(error))
  return error
}

const codeOf = async (promise: Promise<unknown>) => (await errorOf(promise)).code

const numbers = (tensor: Tensor | undefined): ReadonlyArray<number> =>
  tensor === undefined ? [] : [...tensor.data].map(Number)

for (const execution of ["process", "inline"] as const)
  describe(`execution: ${execution}`, () => {
    let forge: ModelForge
    beforeAll(async () => {
      forge = await ModelForge.open({ dataDirectory: newFolder(), execution })
    })
    afterAll(() => forge.close())

    it("takes models as path, URL, bytes and stream", async () => {
      const wine = example("wine")
      const fromUrl = await forge.models.push("from-url", wine)
      assert.strictEqual(fromUrl.model, "from-url")
      assert.strictEqual(fromUrl.version, 1)
      assert.strictEqual(fromUrl.state, "ready")
      await forge.models.push("from-path", wine.pathname)
      await forge.models.push("from-bytes", new Uint8Array(readFileSync(wine)))
      const stream = async function* () {
        const bytes = readFileSync(wine)
        yield bytes.subarray(0, 100)
        yield bytes.subarray(100)
      }
      const fromStream = await forge.models.push("from-stream", stream())
      assert.strictEqual(fromStream.digest, fromUrl.digest)
      for (const model of ["from-url", "from-path", "from-bytes", "from-stream"])
        assert.deepStrictEqual((await forge.predict(model, wineInputs)).outputs["label"], [0])
    })

    it("answers the held-out vectors in tensors, and the same in nested arrays", async () => {
      await forge.models.push("digits", example("digits"), { alias: "production", description: "a CNN" })
      const { inputs, outputs } = exampleVectors("digits")
      const inferred = await forge.infer("digits", inputs)
      assert.deepInclude(inferred, { model: "digits", version: 1 })
      assert.deepStrictEqual(inferred.outputs["label"], outputs["label"])
      const probabilities = inferred.outputs["probabilities"]
      assert.deepStrictEqual(probabilities?.shape, [360, 10])
      const actual = numbers(probabilities)
      for (const [index, expected] of numbers(outputs["probabilities"]).entries())
        assert.closeTo(actual[index] ?? Number.NaN, expected, 1e-5)
      assert.isAbove(inferred.timings.computeMs, 0)
      assert.isAtLeast(inferred.timings.queueMs, 0)

      const predicted = await forge.predict("digits", inputs, { outputs: ["label"] })
      assert.deepStrictEqual(predicted.outputs, {
        label: numbers(outputs["label"]),
      })
    })

    it("keeps 64-bit integers exact beyond 2^53", async () => {
      await forge.models.push("echo", onnx.identity(type.INT64))
      const large = 2n ** 53n + 1n
      const values = [large, -(2n ** 63n), 7n]
      assert.deepStrictEqual((await forge.predict("echo", { x: values })).outputs, {
        y: [large, -(2n ** 63n), 7],
      })
      const x = { datatype: "INT64", shape: [3], data: BigInt64Array.from(values) } as const
      assert.deepStrictEqual((await forge.infer("echo", { x })).outputs, { y: x })
      assert.deepStrictEqual((await forge.infer("echo", { x: values })).outputs, { y: x })
    })

    it("drops a request whose signal is aborted, with the signal's reason", async () => {
      await forge.models.push("echo-2", onnx.identity(type.FP32))
      const already = AbortSignal.abort(new Error("too late"))
      const reason = await forge.predict("echo-2", { x: [1] }, { signal: already }).catch(String)
      assert.strictEqual(reason, "Error: too late")
      const later = new AbortController()
      const running = forge.predict("echo-2", { x: [1] }, { signal: later.signal }).catch(String)
      later.abort(new Error("changed my mind"))
      assert.strictEqual(await running, "Error: changed my mind")
      assert.deepStrictEqual((await forge.predict("echo-2", { x: [1] })).outputs, { y: [1] })
    })
  })

describe("ModelForge", () => {
  let forge: ModelForge
  const folder = newFolder()
  beforeAll(async () => {
    forge = await ModelForge.open({ dataDirectory: folder })
    await forge.models.push("wine", example("wine"), { alias: "production" })
  })
  afterAll(() => forge.close())

  it("lists, gets and deletes models", async () => {
    await forge.models.push("another", onnx.identity(type.FP32), { description: "gives back its input" })
    assert.deepStrictEqual(
      (await forge.models.list()).map(({ name }) => name),
      ["another", "wine"],
    )
    const wine = await forge.models.get("wine")
    assert.strictEqual(wine.latestVersion, 1)
    assert.deepStrictEqual(Object.entries(wine.aliases), [["production", 1]])
    await forge.models.delete("another")
    assert.strictEqual(await codeOf(forge.models.get("another")), "model-not-found")
    assert.strictEqual(await codeOf(forge.models.delete("another")), "model-not-found")
    assert.strictEqual(await codeOf(forge.predict("another", {})), "model-not-found")
  })

  it("chooses versions by number and alias", async () => {
    const second = onnx.concat(readFileSync(example("wine")), onnx.bytes(6, "second"))
    assert.strictEqual((await forge.models.push("wine", second, { alias: "canary" })).version, 2)
    const version = async (version?: number | string) =>
      (await forge.predict("wine", wineInputs, version === undefined ? {} : { version })).version
    assert.strictEqual(await version(), 1)
    assert.strictEqual(await version(2), 2)
    assert.strictEqual(await version("canary"), 2)
    assert.strictEqual(await codeOf(version(3)), "version-not-found")
    assert.strictEqual(await codeOf(version("staging")), "version-not-found")
  })

  it("says what is wrong with inputs, one by one", async () => {
    const { code, issues, message } = await errorOf(forge.predict("wine", { feature: [[1, 2]] }))
    assert.strictEqual(code, "invalid-inputs")
    assert.sameMembers(
      issues.map(({ path }) => path),
      ["inputs.feature", "inputs.features"],
    )
    assert.include(message, "inputs.feature")
    assert.strictEqual(await codeOf(forge.predict("wine", { features: [[1, 2]] })), "invalid-inputs")
    assert.strictEqual(await codeOf(forge.predict("wine", { features: "text" })), "invalid-inputs")
    assert.strictEqual(
      await codeOf(forge.predict("wine", wineInputs, { outputs: ["nothing"] })),
      "invalid-inputs",
    )
  })

  it("refuses names that can't be part of a URL", async () => {
    const wine = example("wine")
    assert.strictEqual(await codeOf(forge.models.push("No Name", wine)), "invalid-name")
    assert.strictEqual(await codeOf(forge.models.push("wine", wine, { alias: "7" })), "invalid-name")
    assert.strictEqual(await codeOf(forge.models.get("../wine")), "invalid-name")
  })

  it("refuses files that are no models, and sources that can't be read", async () => {
    const png = Buffer.from("\x89PNG\r\n\x1a\n and so on", "latin1")
    const refused = await errorOf(forge.models.push("refused", png))
    assert.strictEqual(refused.code, "unusable-model")
    assert.include(refused.message, "PNG")
    assert.strictEqual(await codeOf(forge.models.push("refused", new Uint8Array())), "unusable-model")
    assert.strictEqual(
      await codeOf(forge.models.push("wine", readFileSync(example("wine")))),
      "duplicate-version",
    )

    const missing = await errorOf(forge.models.push("refused", "/nowhere/model.onnx"))
    assert.strictEqual(missing.code, "upload-interrupted")
    assert.include(missing.message, "there is no such file")
    const broken = async function* () {
      yield new Uint8Array(1)
      throw new Error("the tape is torn")
    }
    assert.include((await errorOf(forge.models.push("refused", broken()))).message, "the tape is torn")
    assert.strictEqual(await codeOf(forge.models.get("refused")), "model-not-found")
  })

  it("opens no file before it is needed, and leaves none open", async () => {
    const open = () =>
      readdirSync("/proc/self/fd").filter((fd) => {
        try {
          return readlinkSync(`/proc/self/fd/${fd}`).endsWith(".json")
        } catch {
          return false
        }
      })
    // A file that is refused by its first bytes, and an alias that is refused before any.
    const json = exampleModels[0]?.vectors ?? ""
    assert.isAbove(statSync(json).size, 2 * 64 * 1024, "more than is read at once")
    assert.strictEqual(await codeOf(forge.models.push("refused", json)), "unusable-model")
    assert.strictEqual(
      await codeOf(forge.models.push("refused", "/nowhere/model.onnx", { alias: "No" })),
      "invalid-name",
    )
    // Files close behind the answer.
    await vi.waitFor(() => assert.deepStrictEqual(open(), []), 30_000)
  })

  it("is the only one on its folder", async () => {
    const error = await errorOf(ModelForge.open({ dataDirectory: folder }))
    assert.strictEqual(error.code, "data-folder-in-use")
    assert.include(error.message, "already open by this process")
    assert.deepStrictEqual((await forge.predict("wine", wineInputs)).outputs["label"], [0])
  })
})

describe("keys and users", () => {
  it("are managed with plain objects", async () => {
    await using forge = await ModelForge.open({ dataDirectory: newFolder(), execution: "inline" })
    const { secret, ...key } = await forge.keys.create({
      name: "ci",
      scopes: ["predict"],
      models: ["wine"],
      expiresAt: new Date(Date.now() + 60_000),
      rateLimit: { requests: 10, seconds: 1 },
    })
    assert.match(secret, new RegExp(`^mf_${key.id}_`))
    assert.deepStrictEqual(await forge.keys.list(), [key])
    const rotated = await forge.keys.rotate(key.id, 60)
    assert.notStrictEqual(rotated.secret, secret)
    assert.isString(rotated.previousUntil)
    assert.isString((await forge.keys.revoke(key.id)).revokedAt)
    assert.strictEqual(await codeOf(forge.keys.rotate(key.id)), "key-revoked")
    assert.strictEqual(await codeOf(forge.keys.revoke("x")), "key-not-found")
    const past = { name: "x", scopes: ["read"], expiresAt: new Date(0) } as const
    assert.strictEqual(await codeOf(forge.keys.create(past)), "invalid-key")

    const password = "seven lakes under an early moon"
    const ada = await forge.users.add({ email: "Ada@example.com", role: "admin", password })
    assert.deepInclude(ada, { email: "ada@example.com", name: "Ada@example.com", disabled: false })
    assert.strictEqual(await codeOf(forge.users.update(ada.id, { disabled: true })), "last-admin")
    assert.strictEqual((await forge.users.update(ada.id, { name: "Ada" })).name, "Ada")
    assert.deepStrictEqual(
      (await forge.users.list()).map(({ email }) => email),
      ["ada@example.com"],
    )
    assert.strictEqual(
      await codeOf(forge.users.add({ email: "x", role: "viewer", password })),
      "invalid-email",
    )
    assert.strictEqual(await codeOf(forge.users.remove(ada.id)), "last-admin")
    // The program is the owner: it needs no key, before and after.
    assert.deepStrictEqual(await forge.models.list(), [])
  })
})

describe("open and close", () => {
  it("keeps the data, closes once, and says so afterwards", async () => {
    const dataDirectory = newFolder()
    const first = await ModelForge.open({ dataDirectory })
    await first.models.push("wine", example("wine"), { alias: "production" })
    await first.predict("wine", wineInputs)
    await Promise.all([first.close(), first.close()])
    await first.close()
    assert.strictEqual(await codeOf(first.predict("wine", wineInputs)), "closed")
    assert.strictEqual(await codeOf(first.infer("wine", wineInputs)), "closed")
    assert.strictEqual(await codeOf(first.models.list()), "closed")
    assert.strictEqual(await codeOf(first.models.push("wine", example("wine"))), "closed")
    assert.deepStrictEqual(processesOf(dataDirectory), [])

    await using second = await ModelForge.open({ dataDirectory })
    assert.deepStrictEqual(Object.keys((await second.models.get("wine")).aliases), ["production"])
    assert.deepStrictEqual((await second.predict("wine", wineInputs)).outputs["label"], [0])
    const versions = await errorOf(second.models.push("wine", example("wine")))
    assert.strictEqual(versions.message, 'These bytes are version 1 of model "wine" already')
  })

  it("`await using` closes at the end of the block", async () => {
    const dataDirectory = newFolder()
    {
      await using forge = await ModelForge.open({ dataDirectory, execution: "inline" })
      assert.deepStrictEqual(await forge.models.list(), [])
    }
    assert.deepStrictEqual(processesOf(dataDirectory), [])
  })

  it("two folders in one process know nothing of each other", async () => {
    await using one = await ModelForge.open({ dataDirectory: newFolder(), execution: "inline" })
    await using two = await ModelForge.open({ dataDirectory: newFolder() })
    await one.models.push("echo", onnx.identity(type.FP32))
    await two.models.push("echo", onnx.identity(type.BYTES))
    assert.deepStrictEqual((await one.predict("echo", { x: [0.5] })).outputs, { y: [0.5] })
    assert.deepStrictEqual((await two.predict("echo", { x: ["text"] })).outputs, { y: ["text"] })
    await one.models.delete("echo")
    assert.lengthOf(await two.models.list(), 1)
  })

  it("a model is configured; what nothing can be served with is refused", async () => {
    await using forge = await ModelForge.open({ dataDirectory: newFolder(), execution: "inline" })
    await forge.models.push("wine", readFileSync(example("wine")))
    const { config } = await forge.models.configure("wine", { warmup: { inputs: wineInputs } })
    assert.deepStrictEqual(config, { warmup: { inputs: wineInputs } })
    const unusable = await errorOf(forge.models.configure("wine", { warmup: { inputs: {} } }))
    assert.strictEqual(unusable.code, "unusable-sample")
    assert.match(unusable.message, /^warmup\.inputs\.features: /)
    const odd: object = { instances: "all" }
    assert.strictEqual(await codeOf(forge.models.configure("wine", odd)), "invalid-config")
    assert.deepStrictEqual((await forge.models.get("wine")).config, config)
    assert.deepStrictEqual((await forge.predict("wine", wineInputs)).outputs["label"], [0])
  })

  it("close breaks off a model that is still arriving, and nothing stays of it", async () => {
    const dataDirectory = newFolder()
    const forge = await ModelForge.open({ dataDirectory, execution: "inline" })
    const arrived = Promise.withResolvers<void>()
    const endless = async function* () {
      yield readFileSync(example("wine")).subarray(0, 1000)
      arrived.resolve()
      await new Promise(() => {})
    }
    const pushed = codeOf(forge.models.push("wine", endless()))
    await arrived.promise
    await forge.close()
    assert.strictEqual(await pushed, "closed")
    assert.deepStrictEqual(readdirSync(join(dataDirectory, "artifacts", "staging")), [])
  })

  it("close waits for what runs", async () => {
    const forge = await ModelForge.open({ dataDirectory: newFolder() })
    await forge.models.push("slow", slowModel)
    await forge.predict("slow", { n: 1, x: [0] })
    const running = forge.predict("slow", { n: 50_000, x: [0] })
    await forge.close()
    assert.deepStrictEqual((await running).outputs, { y: [0] })
  })

  it("a folder that can't be used is refused with a code, and nothing stays", async () => {
    const error = await errorOf(ModelForge.open({ dataDirectory: "/etc/hostname" }))
    assert.strictEqual(error.code, "data-folder-not-writable")
    assert.strictEqual(
      await codeOf(ModelForge.open({ databaseUrl: "postgres://u:secret@127.0.0.1:1/d" })),
      "cannot-connect",
    )
  })
})
