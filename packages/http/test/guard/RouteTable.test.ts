import { assert, describe, it } from "@effect/vitest"
import { ForgeApi, Permitted } from "@modelforge/api"
import { HttpApi, HttpApiEndpoint, HttpApiGroup } from "effect/http-api"
import { makeRouteTable } from "../../src/guard/RouteTable.ts"

const table = makeRouteTable(ForgeApi, {})
const find = (line: string) => {
  const [method = "", target = ""] = line.split(" ")
  return table.find(method, target)
}

describe("the permission of a route", () => {
  it("is what its endpoint says, with the model of the path", () => {
    assert.deepStrictEqual(find("GET /healthz"), { permission: "public", model: undefined })
    assert.deepStrictEqual(find("GET /v1/models"), { permission: "read", model: undefined })
    assert.deepStrictEqual(find("DELETE /v1/models/digits"), { permission: "write", model: "digits" })
    assert.deepStrictEqual(find("GET /v2"), { permission: "read", model: undefined })
    assert.deepStrictEqual(find("POST /v2/models/digits/versions/3/infer"), {
      permission: "predict",
      model: "digits",
    })
    assert.deepStrictEqual(find("POST /v1/keys"), { permission: "admin", model: undefined })
    assert.deepStrictEqual(find("POST /v1/auth/login"), { permission: "login", model: undefined })
  })

  it("is the contract's for what documents it", () => {
    for (const path of ["/openapi.json", "/docs"])
      assert.deepStrictEqual(find(`GET ${path}`), { permission: "read", model: undefined })
  })

  it("is GET's for HEAD, and unknown for other methods and paths", () => {
    assert.deepStrictEqual(find("HEAD /v1/models/digits"), { permission: "read", model: "digits" })
    for (const line of ["PUT /healthz", "OPTIONS /v1/models", "TRACE /healthz", "GET /", "GET /v3", "GET *"])
      assert.isUndefined(find(line), line)
  })

  it("is found for every spelling that the router takes", () => {
    for (const target of [
      "/v1/models/digits/",
      "//v1///models/digits",
      "/V1/Models/digits",
      "/%76%31/models/digits",
      "/v1/models/digits?x=/healthz",
      "/v1/models/digits#/healthz",
      "/v1/models/digits;/healthz",
      "/v1/models/%64igits",
      "http://localhost/v1/models/digits",
    ])
      assert.deepStrictEqual(table.find("DELETE", target), { permission: "write", model: "digits" }, target)
  })

  it("keeps the model as it is decoded, once", () => {
    for (const [target, model] of [
      ["/v1/models/a%2Fb", "a/b"],
      ["/v1/models/%2e%2e", ".."],
      ["/v1/models/a%252Fb", "a%2Fb"],
      ["/v1/models/A", "A"],
    ] as const)
      assert.strictEqual(table.find("GET", target)?.model, model, target)
  })

  it("is missed when a table is made, and not when somebody asks", () => {
    const open = HttpApi.make("open").add(
      HttpApiGroup.make("things").add(HttpApiEndpoint.get("list", "/things")),
    )
    assert.throws(() => makeRouteTable(open, {}), /GET \/things says nothing of who may use it/)
    const said = HttpApi.make("said").add(
      HttpApiGroup.make("things").add(HttpApiEndpoint.get("list", "/things").annotate(Permitted, "read")),
    )
    assert.strictEqual(makeRouteTable(said, {}).find("GET", "/things")?.permission, "read")
  })
})
