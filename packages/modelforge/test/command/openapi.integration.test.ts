/** Every example of the API's description, carried out against a running server in an order that works. */
import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { exampleModels } from "@modelforge/example-models"
import { Ajv2020 } from "ajv/dist/2020.js"
import { Effect } from "effect"
import * as onnx from "../../../onnx/test/onnxFile.ts"
import { sharedServer } from "./command.ts"

type Json = Readonly<Record<string, unknown>>
const object = (value: unknown): Json => {
  if (typeof value !== "object" || value === null) throw new Error(`not an object: ${JSON.stringify(value)}`)
  return { ...value }
}
const array = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])

const server = sharedServer({ args: ["--examples"] })
/** One that asks for keys, once there is one. */
const guarded = sharedServer({})

/** Operations on keys, users and the audit log. */
const isOfAccess = ({ id }: Operation) => /^(?:keys|users|auth|audit)\./.test(id)

/** The same model in other bytes: a field that no reader knows is appended. */
const wine = readFileSync(exampleModels.find(({ name }) => name === "wine")?.file ?? "")
const variant = (salt: string) => onnx.concat(wine, onnx.bytes(6, salt))
/** As long as the examples say. */
const piece = variant("of 14 letters.")

interface Operation {
  readonly id: string
  readonly method: string
  readonly path: string
  readonly parameters: ReadonlyArray<Json>
  readonly body: { readonly type: string; readonly example: unknown } | undefined
  readonly responses: Json
}

const operationsOf = (document: Json): ReadonlyArray<Operation> =>
  Object.entries(object(document["paths"])).flatMap(([path, item]) =>
    Object.entries(object(item)).map(([method, value]) => {
      const operation = object(value)
      const content = Object.entries(object(object(operation["requestBody"] ?? {})["content"] ?? {}))
      const [type, media] = content.find(([name]) => name === "application/json") ?? content[0] ?? []
      return {
        id: String(operation["operationId"]),
        method: method.toUpperCase(),
        path,
        parameters: array(operation["parameters"]).map(object),
        body: type === undefined ? undefined : { type, example: object(media)["example"] },
        responses: object(operation["responses"]),
      }
    }),
  )

const pointer = (...path: ReadonlyArray<string>) =>
  path.map((part) => `/${part.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("")

/** What the description says of an answer, and whether it is so. */
const checkerOf = (document: Json) => {
  const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true })
  ajv.addSchema(document, "document")
  const schemaAt = (...path: ReadonlyArray<string>) => {
    const check = ajv.getSchema(`document#${pointer(...path)}`)
    if (check === undefined) throw new Error(`no schema at ${path.join(" ")}`)
    return check
  }
  const matches = (what: string, value: unknown, ...path: ReadonlyArray<string>) => {
    const check = schemaAt(...path)
    assert.isTrue(check(value), `${what}: ${ajv.errorsText(check.errors)} in ${JSON.stringify(value)}`)
  }
  const place = ({ path, method }: Operation) => ["paths", path, method.toLowerCase()]
  return {
    request: (operation: Operation, value: unknown) =>
      matches(
        operation.id,
        value,
        ...place(operation),
        "requestBody",
        "content",
        "application/json",
        "schema",
      ),
    answer: (operation: Operation, status: number, type: string, value: unknown) => {
      const response = object(
        operation.responses[String(status)] ?? assert.fail(`${operation.id}: ${status}`),
      )
      if (response["content"] === undefined) return
      matches(
        `${operation.id} ${status}`,
        value,
        ...[...place(operation), "responses", String(status), "content", type, "schema"],
      )
    },
  }
}

/** What an operation needs that its example can't hold: ids that the server gives, and bytes. */
interface Given {
  readonly parameters?: Readonly<Record<string, string>>
  readonly bytes?: Uint8Array
  readonly headers?: Readonly<Record<string, string>>
}

const requestOf = (
  url: string,
  operation: Operation,
  { parameters = {}, bytes, headers = {} }: Given = {},
) => {
  const values = operation.parameters.flatMap((parameter) => {
    const name = String(parameter["name"])
    const value = parameters[name] ?? parameter["example"]
    if (value === undefined)
      assert.isNotTrue(parameter["required"], `${operation.id} has no example of ${name}`)
    return value === undefined ? [] : [{ place: String(parameter["in"]), name, value: String(value) }]
  })
  const of = (place: string) =>
    values.filter((one) => one.place === place).map(({ name, value }) => [name, value] as [string, string])
  const path = of("path").reduce(
    (made, [name, value]) => made.replace(`{${name}}`, encodeURIComponent(value)),
    operation.path,
  )
  const query = new URLSearchParams(of("query")).toString()
  const { body } = operation
  const isJson = body?.type === "application/json"
  const content =
    body === undefined
      ? undefined
      : isJson
        ? body.example === undefined
          ? undefined
          : JSON.stringify(body.example)
        : bytes
  return fetch(`${url}${path}${query === "" ? "" : `?${query}`}`, {
    method: operation.method,
    headers: {
      ...headers,
      ...Object.fromEntries(of("header")),
      ...(body === undefined || content === undefined ? {} : { "content-type": body.type }),
    },
    ...(content === undefined ? {} : { body: typeof content === "string" ? content : new Blob([content]) }),
  })
}

const begun = Effect.gen(function* () {
  const { url } = yield* server
  const document = object(yield* Effect.promise(async () => (await fetch(`${url}/openapi.json`)).json()))
  return { url, document, operations: operationsOf(document), check: checkerOf(document) }
})

const mediaType = (response: Response) => response.headers.get("content-type")?.split(";")[0] ?? ""

/** Carries operations out, each once, and holds the answers against the description. */
const carrier = (url: string, operations: ReadonlyArray<Operation>, check: ReturnType<typeof checkerOf>) => {
  const left = new Map(operations.map((operation) => [operation.id, operation]))
  const carryOut = Effect.fnUntraced(function* (id: string, given?: Given) {
    const operation = left.get(id) ?? assert.fail(`no operation ${id}, or twice`)
    left.delete(id)
    const response = yield* Effect.promise(() => requestOf(url, operation, given))
    const text = yield* Effect.promise(() => response.text())
    assert.isBelow(response.status, 300, `${id}: ${text}`)
    const type = mediaType(response)
    const json: unknown = type === "application/json" ? JSON.parse(text) : text
    check.answer(operation, response.status, type, json)
    return { headers: response.headers, json }
  })
  return { left, carryOut }
}

describe("the API's description", () => {
  it.live("has an example of every JSON that is sent or answered, each as its schema says", () =>
    Effect.gen(function* () {
      const { operations, check } = yield* begun
      for (const operation of operations) {
        const { id, body, responses } = operation
        if (body?.type === "application/json") check.request(operation, body.example)
        for (const [status, response] of Object.entries(responses))
          for (const [type, value] of Object.entries(object(object(response)["content"] ?? {}))) {
            const media = object(value)
            if (type === "application/json") check.answer(operation, Number(status), type, media["example"])
            if (type !== "application/problem+json") continue
            const examples = Object.values(object(media["examples"]))
            assert.isNotEmpty(examples, `${id} ${status}`)
            for (const example of examples) {
              const problem = object(example)["value"]
              check.answer(operation, Number(status), type, problem)
              assert.strictEqual(object(problem)["status"], Number(status), id)
            }
          }
      }
    }),
  )

  it.live("is carried out by a server, example by example", () =>
    Effect.gen(function* () {
      const { url, operations, check } = yield* begun
      const others = operations.filter((operation) => !isOfAccess(operation))
      const { left, carryOut } = carrier(url, others, check)

      const put = (path: string, init: RequestInit) =>
        Effect.promise(async () => {
          const answer = await fetch(`${url}${path}`, init)
          assert.isBelow(answer.status, 300, await answer.text())
          return answer.headers
        })
      const upload = (salt: string) =>
        put("/v1/models/wine/versions", {
          method: "POST",
          headers: { "content-type": "application/octet-stream" },
          body: new Blob([variant(salt)]),
        })
      const uploadIn = (headers: Headers) => ({
        parameters: { upload: headers.get("location")?.split("/").at(-1) ?? "" },
      })

      for (const id of [
        ...["healthz", "readyz"],
        ...[
          "server",
          "live",
          "ready",
          "model",
          "version",
          "modelReady",
          "versionReady",
          "repositoryIndex",
        ].map((name) => `inferenceProtocol.${name}`),
        ...[
          "infer",
          "inferVersion",
          "models",
          "statistics",
          "modelStatistics",
          "versionStatistics",
          "modelConfig",
          "versionConfig",
          "repositoryUnload",
          "repositoryLoad",
        ].map((name) => `inferenceProtocol.${name}`),
        "predict.predict",
        ...["create", "list", "get", "update", "config", "configure", "remove"].map(
          (name) => `models.${name}`,
        ),
      ])
        yield* carryOut(id)

      yield* carryOut("versions.upload", { bytes: variant("two") })
      yield* upload("three")
      for (const name of [
        "list",
        "get",
        "download",
        "update",
        "load",
        "unload",
        "archive",
        "restore",
        "remove",
      ])
        yield* carryOut(`versions.${name}`)
      for (const name of ["model", "version"]) yield* carryOut(`descriptions.${name}`)
      for (const name of ["graph", "compare"]) yield* carryOut(`inspection.${name}`)

      yield* put("/v1/models/wine/aliases/canary", {
        method: "PUT",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ version: 1 }),
      })
      for (const name of ["move", "get", "history", "rollback", "remove"]) yield* carryOut(`aliases.${name}`)
      for (const name of ["set", "get", "shadow", "history", "remove"]) yield* carryOut(`traffic.${name}`)

      yield* carryOut("uploads.capabilities")
      const session = uploadIn((yield* carryOut("uploads.create")).headers)
      yield* carryOut("uploads.get", session)
      yield* carryOut("uploads.append", { ...session, bytes: piece })
      const other = yield* put("/v1/models/wine/uploads", {
        method: "POST",
        headers: { "tus-resumable": "1.0.0", "upload-length": "10" },
      })
      yield* carryOut("uploads.abort", uploadIn(other))

      assert.deepStrictEqual([...left.keys()], [], "operations whose example nobody carried out")
    }),
  )

  it.live("is carried out by a server that asks for keys", () =>
    Effect.gen(function* () {
      const { operations, check } = yield* begun
      const { url } = yield* guarded
      const { left, carryOut } = carrier(url, operations.filter(isOfAccess), check)
      const first = yield* Effect.promise(async () =>
        object(
          await (
            await fetch(`${url}/v1/keys`, {
              method: "POST",
              headers: { "content-type": "application/json" },
              body: JSON.stringify({ name: "first", scopes: ["admin", "read"] }),
            })
          ).json(),
        ),
      )
      const headers = { authorization: `Bearer ${String(first["secret"])}` }
      const key = object((yield* carryOut("keys.create", { headers })).json)
      const ofKey = { headers, parameters: { key: String(key["id"]) } }
      yield* carryOut("keys.list", { headers })
      for (const name of ["get", "rotate", "revoke"]) yield* carryOut(`keys.${name}`, ofKey)
      const user = object((yield* carryOut("users.create", { headers })).json)
      const ofUser = { headers, parameters: { user: String(user["id"]) } }
      yield* carryOut("users.list", { headers })
      yield* carryOut("auth.login")
      for (const name of ["get", "update", "endSessions", "remove"]) yield* carryOut(`users.${name}`, ofUser)
      for (const id of ["auth.me", "audit.list", "audit.verify"]) yield* carryOut(id, { headers })
      assert.deepStrictEqual([...left.keys()], [], "operations whose example nobody carried out")
    }),
  )

  it.live("says how every operation refuses a model that is not there", () =>
    Effect.gen(function* () {
      const { url, operations, check } = yield* begun
      const ofModels = operations.filter(
        ({ path, method }) => path.includes("{model}") && method !== "OPTIONS",
      )
      assert.isAbove(ofModels.length, 25)
      for (const operation of ofModels) {
        const given = { parameters: { model: "nose" }, bytes: piece }
        const response = yield* Effect.promise(() => requestOf(url, operation, given))
        const json: unknown = yield* Effect.promise(() => response.json())
        assert.strictEqual(response.status, 404, `${operation.id} ${JSON.stringify(json)}`)
        check.answer(operation, 404, mediaType(response), json)
      }
    }),
  )

  it.live("of each model has examples that work, and answers that are as it says", () =>
    Effect.gen(function* () {
      const { url } = yield* server
      for (const { name } of exampleModels)
        for (const path of [`/v1/models/${name}`, `/v1/models/${name}/versions/1`]) {
          const at = `${url}${path}/openapi.json`
          const document = object(yield* Effect.promise(async () => (await fetch(at)).json()))
          const check = checkerOf(document)
          const [base] = array(document["servers"]).map(object)
          for (const operation of operationsOf(document)) {
            check.request(operation, operation.body?.example)
            const response = yield* Effect.promise(() =>
              fetch(new URL(`${String(base?.["url"])}${operation.path}`, at), {
                method: operation.method,
                headers: { "content-type": "application/json" },
                body: JSON.stringify(operation.body?.example),
              }),
            )
            const json: unknown = yield* Effect.promise(() => response.json())
            assert.strictEqual(response.status, 200, `${operation.path} ${JSON.stringify(json)}`)
            check.answer(operation, 200, "application/json", json)
            if (path.endsWith("/1") && operation.id === "predict")
              assert.strictEqual(object(json)["version"], 1)
          }
        }
    }),
  )
})
