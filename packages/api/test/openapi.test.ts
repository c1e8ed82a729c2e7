/** The OpenAPI document. `vitest run packages/api -u` writes docs/openapi.json anew after a change of the contract. */
import { assert, describe, expect, it } from "@effect/vitest"
import { Validator } from "@seriousme/openapi-schema-validator"
import { HttpApi, OpenApi } from "effect/http-api"
import { ForgeApi } from "../src/index.ts"

const document = OpenApi.fromApi(ForgeApi)

/** The document as its readers get it. */
const parsed: unknown = JSON.parse(JSON.stringify(document))

type Json = Readonly<Record<string, unknown>>
const object = (value: unknown): Json => {
  if (typeof value !== "object" || value === null) throw new Error(`not an object: ${JSON.stringify(value)}`)
  return { ...value }
}
const array = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])

const operations = Object.entries(object(object(parsed)["paths"])).flatMap(([path, item]) =>
  Object.entries(object(item)).map(([method, operation]) => ({
    name: `${method.toUpperCase()} ${path}`,
    path,
    operation: object(operation),
  })),
)

const endpoints: Array<string> = []
HttpApi.reflect(ForgeApi, {
  onGroup: () => {},
  onEndpoint: ({ endpoint }) =>
    endpoints.push(`${endpoint.method} ${endpoint.path.replaceAll(/:(\w+)/g, "{$1}")}`),
})

const responses = (operation: Json) =>
  Object.entries(object(operation["responses"])).map(([status, response]) => ({
    status: Number(status),
    response: object(response),
    types: Object.keys(object(object(response)["content"] ?? {})),
  }))

/** Every object within a value, itself included. */
const within = (value: unknown): ReadonlyArray<Json> => {
  if (typeof value !== "object" || value === null) return []
  const inner = Object.values(value).flatMap(within)
  return Array.isArray(value) ? inner : [object(value), ...inner]
}

describe("the OpenAPI document", () => {
  it("is the one in docs", async () => {
    await expect(`${JSON.stringify(document, null, 2)}\n`).toMatchFileSnapshot("../../../docs/openapi.json")
  })

  it("is OpenAPI 3.1 with a title and a licence", () => {
    const { openapi, info } = object(parsed)
    assert.match(String(openapi), /^3\.1\./)
    assert.deepInclude(object(info), { title: "ModelForge", version: "1", license: { name: "Apache-2.0" } })
  })

  it("is valid", async () => {
    const { valid, errors } = await new Validator().validate(object(parsed))
    assert.isTrue(valid, JSON.stringify(errors, null, 2))
    const broken = { ...object(parsed), paths: { "/x": { get: { responses: { 200: {} } } } } }
    assert.isFalse((await new Validator().validate(broken)).valid)
  })

  it("has every endpoint, and nothing else", () => {
    assert.sameMembers(
      operations.map(({ name }) => name),
      endpoints,
    )
    assert.isAbove(endpoints.length, 20)
  })

  it("names and summarises every operation, each once", () => {
    for (const { name, operation } of operations) {
      assert.isString(operation["summary"], name)
      assert.isAbove(array(operation["tags"]).length, 0, name)
    }
    const ids = operations.map(({ operation }) => operation["operationId"])
    assert.strictEqual(new Set(ids).size, ids.length)
    assert.notInclude(ids, undefined)
  })

  it("declares every parameter of every path", () => {
    for (const { name, path, operation } of operations) {
      const declared = array(operation["parameters"])
        .map(object)
        .filter((parameter) => parameter["in"] === "path")
        .map((parameter) => {
          assert.isTrue(parameter["required"], name)
          assert.isObject(parameter["schema"], name)
          return parameter["name"]
        })
      assert.sameMembers(
        declared,
        [...path.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => parameter),
        name,
      )
    }
  })

  it("describes every answer", () => {
    for (const { name, operation } of operations) {
      const all = responses(operation)
      assert.isTrue(
        all.some(({ status }) => status < 300),
        name,
      )
      for (const { status, response, types } of all) {
        assert.isAbove(String(response["description"] ?? "").length, 0, `${name} ${status}`)
        assert.strictEqual(types.length === 0, status === 204 || status === 304, `${name} ${status}`)
      }
    }
  })

  it("has problems as the failures of /v1, and V2's own failures", () => {
    for (const { name, path, operation } of operations)
      for (const { status, types } of responses(operation)) {
        if (status < 400 || path === "/readyz") continue
        const expected = path.startsWith("/v2") ? "application/json" : "application/problem+json"
        assert.deepStrictEqual(types, [expected], `${name} ${status}`)
      }
  })

  it("says of every call of /v1 how it fails when the store is away", () => {
    // OPTIONS tells what the server can do and /v1/me who asks: neither asks the store.
    for (const { name, path, operation } of operations)
      if (path.startsWith("/v1") && path !== "/v1/me" && !name.startsWith("OPTIONS"))
        assert.include(
          responses(operation).map(({ status }) => status),
          503,
          name,
        )
  })

  it("says of every prediction how it can end", () => {
    for (const { name, path, operation } of operations) {
      const expected = {
        infer: [200, 400, 401, 403, 404, 408, 413, 415, 429, 500, 501, 503, 504],
        predict: [200, 400, 401, 403, 404, 408, 413, 415, 422, 429, 500, 503, 504],
      }
      const plane = /\/(infer|predict)$/.exec(path)?.[1]
      if (plane === "infer" || plane === "predict")
        assert.deepStrictEqual(
          responses(operation).map(({ status }) => status),
          expected[plane],
          name,
        )
    }
  })

  it("says of every call that takes a body that the body may come too slowly", () => {
    for (const { name, path, operation } of operations) {
      // Bodies of the repository's calls are optional and have no schema.
      const takesBody = operation["requestBody"] !== undefined || path.startsWith("/v2/repository/")
      const statuses = responses(operation).map(({ status }) => status)
      assert.strictEqual(statuses.includes(408), takesBody, name)
    }
  })

  it("refuses unknown members of what is sent to /v1, and allows others to what is answered", () => {
    for (const { name, path, operation } of operations) {
      const sent = JSON.stringify(operation["requestBody"] ?? {})
      const isManagement = path.startsWith("/v1") && !path.endsWith("/predict") && sent.includes("properties")
      if (isManagement) assert.include(sent, '"additionalProperties":false', name)
      else if (sent.includes('"inputs"')) assert.notInclude(sent, '"additionalProperties":false', name)
      assert.notInclude(JSON.stringify(operation["responses"]), '"additionalProperties":false', name)
    }
  })

  it("shows numbers of queries as numbers, and bodies that may be left out as optional", () => {
    const find = (wanted: string) =>
      operations.find(({ name }) => name === wanted)?.operation ?? assert.fail(wanted)
    const [limit] = array(find("GET /v1/models")["parameters"]).map(object)
    assert.deepInclude(limit?.["schema"], { type: "integer", minimum: 1, maximum: 200, default: 50 })
    const rollback = object(find("POST /v1/models/{model}/aliases/{alias}/rollback")["requestBody"])
    assert.isFalse(rollback["required"])
    assert.isTrue(object(find("POST /v1/models")["requestBody"])["required"])
  })

  it("says of every operation who may use it, and how they say who they are", () => {
    for (const { name, path, operation } of operations) {
      const security = array(operation["security"]).map(object)
      const isPublic = ["/healthz", "/readyz"].includes(path) || path.startsWith("/v2/health/")
      assert.strictEqual(security.length === 0, isPublic, name)
      for (const requirement of security)
        assert.include([[], ["bearer"], ["apiKey"]].map(String), String(Object.keys(requirement)), name)
      const statuses = responses(operation).map(({ status }) => status)
      if (!isPublic) assert.includeMembers(statuses, [401, 403], name)
    }
    const schemes = object(object(object(parsed)["components"])["securitySchemes"])
    assert.deepInclude(object(schemes["bearer"]), { type: "http", scheme: "bearer" })
    assert.deepInclude(object(schemes["apiKey"]), { type: "apiKey", in: "header", name: "x-api-key" })
    const login = operations.find(({ path }) => path === "/v1/auth/login")
    assert.deepStrictEqual(login?.operation["security"], [{}, { bearer: ["admin"] }, { apiKey: ["admin"] }])
  })

  it("refers only to what it holds", () => {
    const root = object(parsed)
    for (const { $ref } of within(parsed)) {
      if (typeof $ref !== "string") continue
      const [start, ...path] = $ref.split("/")
      assert.strictEqual(start, "#")
      const target = path.reduce<unknown>((at, key) => object(at)[key], root)
      assert.isObject(target, $ref)
    }
  })

  it("shows the types of problems, whose names are stable", () => {
    const types = within(parsed)
      .flatMap((schema) => array(schema["enum"]))
      .filter((value) => String(value).startsWith("urn:"))
    assert.sameMembers(
      [...new Set(types)].map((type) => String(type).replace("urn:modelforge:problem:", "")),
      [
        "alias-conflict",
        "alias-not-found",
        "answer-not-kept",
        "bad-request",
        "checksum-mismatch",
        "deadline-exceeded",
        "digest-mismatch",
        "duplicate-version",
        "email-taken",
        "forbidden",
        "graph-not-found",
        "idempotency-key-reused",
        "incompatible-signature",
        "incompatible-split",
        "internal",
        "invalid-inputs",
        "invalid-request",
        "key-not-found",
        "key-revoked",
        "last-admin",
        "locked-out",
        "login-refused",
        "model-exists",
        "model-not-found",
        "offset-mismatch",
        "outcome-unknown",
        "overloaded",
        "password-refused",
        "precondition-failed",
        "rate-limited",
        "request-in-progress",
        "request-timeout",
        "run-failed",
        "too-large",
        "traffic-conflict",
        "traffic-not-found",
        "unauthorized",
        "unavailable",
        "unsupported-media-type",
        "unsupported-protocol",
        "unusable-model",
        "upload-interrupted",
        "upload-locked",
        "upload-not-found",
        "user-not-found",
        "version-conflict",
        "version-not-found",
      ],
    )
  })
})
