/** What fuzzed requests are about: models, versions, keys, users and uploads that are there, and requests that are right. */
import { wineInputs } from "@modelforge/example-models"
import { Effect } from "effect"
import type { Random } from "../../../core/test/random.ts"
import { type Sent, send, type Target } from "../command/http.ts"
import type { Operation } from "./contract.ts"
import {
  type Body,
  file,
  floats,
  inferences,
  jsonBody,
  multipart,
  predictions,
  variant,
} from "./validBodies.ts"

export type Pairs = ReadonlyArray<readonly [name: string, value: string]>

/** A request that nothing is wrong with. */
export interface ValidRequest {
  readonly operation: Operation
  readonly params: Readonly<Record<string, string>>
  readonly query: Pairs
  readonly headers: Pairs
  readonly body: Body | undefined
  /** Removes what was made for this request only. */
  readonly after?: Effect.Effect<void>
}

type Parts = Partial<Omit<ValidRequest, "operation">>

/** Asked for predictions, and changed only by requests that went astray. */
export const stable = "fuzz"
/** Whose versions, aliases and policy requests change. */
export const changing = "fuzz-2"
const names = { created: "made", removed: "gone" }
/** Of the aliases of the changing model. */
const aliases = ["production", "staging", "a"] as const
const password = "a password that holds"
/** Keys and users at a time. */
const pool = 4
const versionsKept = 3

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null
const member = (value: unknown, name: string) => String(isRecord(value) ? (value[name] ?? "") : "")
const items = (value: unknown): ReadonlyArray<unknown> => {
  const listed = isRecord(value) ? value["items"] : undefined
  return Array.isArray(listed) ? listed : []
}

export class FuzzWorld {
  readonly #target: Target
  readonly #headers: Readonly<Record<string, string>>
  #made = 0
  /** Numbers of the versions that are there. */
  readonly #versions = new Map<string, Array<string>>()
  #keys: ReadonlyArray<string> = []
  #users: ReadonlyArray<string> = []

  constructor(target: Target, headers: Readonly<Record<string, string>>) {
    this.#target = target
    this.#headers = headers
  }

  #send(method: string, path: string, sent: Sent = {}) {
    return send(this.#target, method, path, { ...sent, headers: { ...this.#headers, ...sent.headers } }).pipe(
      Effect.orDie,
    )
  }

  readonly #post = (path: string, json: unknown) => this.#send("POST", path, { json })
  readonly #upload = (model: string) =>
    this.#send("POST", `/v1/models/${model}/versions?create=true`, { body: variant(`w${this.#made++}`) })

  readonly #listed = (model: string) =>
    Effect.map(this.#send("GET", `/v1/models/${model}/versions?limit=200`), ({ json }) =>
      items(json).map((one) => ({ version: member(one, "version"), state: member(one, "state") })),
    )

  /** Brings back what requests have used up or put out of service. */
  readonly restore = Effect.gen({ self: this }, function* () {
    for (const model of [stable, changing]) {
      let all = yield* this.#listed(model)
      for (let round = 0; all.length < versionsKept; round++) {
        if (round > 2 * versionsKept) throw new Error(`versions of ${model} can't be uploaded`)
        yield* this.#upload(model)
        all = yield* this.#listed(model)
      }
      this.#versions.set(
        model,
        all.map(({ version }) => version),
      )
      const [first = "1", second = "1"] = this.#versions.get(model) ?? []
      const at = `/v1/models/${model}`
      const { json } = yield* this.#send("GET", at)
      for (const { version, state } of all)
        if (state === "archived" && (version === first || version === second))
          yield* this.#post(`${at}/versions/${version}/restore`, undefined)
      if (isRecord(json) && json["traffic"] !== null) yield* this.#send("DELETE", `${at}/traffic`)
      if (isRecord(json) && JSON.stringify(json["config"]) !== "{}")
        yield* this.#send("PUT", `${at}/config`, { json: {} })
      for (const [alias, version] of [
        ["production", first],
        ["staging", second],
      ])
        yield* this.#send("PUT", `${at}/aliases/${alias}?force=true`, { json: { version: Number(version) } })
    }
    for (const model of [stable, changing, "wine"])
      if ((yield* this.#send("GET", `/v2/models/${model}/ready`)).status !== 200)
        yield* this.#post(`/v2/repository/models/${model}/load`, {})
    for (const made of items(
      (yield* this.#send("GET", `/v1/models?search=${names.created}-&limit=200`)).json,
    ))
      yield* this.#send("DELETE", `/v1/models/${member(made, "name")}`)
    this.#keys = yield* this.#refill("/v1/keys", this.#keys, () => ({ name: "fuzzed", scopes: ["read"] }))
    this.#users = yield* this.#refill("/v1/users", this.#users, () => ({
      email: this.#email(this.#made++),
      password,
      role: "operator",
      name: "Fuzz",
    }))
  })

  readonly #email = (number: number) => `fuzz-${number}@example.com`

  readonly #refill = Effect.fnUntraced(
    { self: this },
    function* (path: string, known: ReadonlyArray<string>, draft: () => unknown) {
      const left: Array<string> = []
      for (const id of known) {
        const { status, json } = yield* this.#send("GET", `${path}/${id}`)
        if (status === 200 && (member(json, "revokedAt") === "" || member(json, "revokedAt") === "null"))
          left.push(id)
      }
      while (left.length < pool) {
        const made = yield* this.#post(path, draft())
        if (made.status !== 201) throw new Error(`${path}: ${made.status} ${made.bytes.toString()}`)
        left.push(member(made.json, "id"))
      }
      return left
    },
  )

  readonly #version = (model: string, dice: Random) => dice.pick(this.#versions.get(model) ?? ["1"])

  /** What an operation is asked with; the rest comes from its examples. */
  readonly #parts: Readonly<Record<string, (dice: Random, seed: number) => Effect.Effect<Parts>>> = {
    "models.create": (dice) =>
      Effect.succeed({
        body: jsonBody({ name: `${names.created}-${dice.int(20)}`, tags: ["a"], labels: { a: "b" } }),
      }),
    "models.remove": (dice) => {
      const model = `${names.removed}-${dice.int(20)}`
      return Effect.as(this.#post("/v1/models", { name: model }), { params: { model } })
    },
    "models.configure": () =>
      Effect.succeed({
        body: jsonBody({
          batching: { maxBatchSize: 8, maxDelayMs: 1 },
          queue: { maxDepth: 100 },
          warmup: { runs: 1, inputs: { x: [[1, 2]] } },
        }),
      }),
    "versions.upload": (dice, seed) => {
      const bytes = variant(`s${seed}`)
      const body = dice.int(2) === 0 ? { bytes, type: "application/octet-stream" } : multipart(bytes)
      return Effect.succeed({ body, query: dice.pick<Pairs>([[], [["alias", "a"]]]) })
    },
    "versions.remove": (dice) =>
      dice.int(2) === 0
        ? Effect.succeed({})
        : Effect.map(this.#upload(changing), ({ json }) => ({
            params: { version: member(json, "version") },
          })),
    "versions.load": (dice) => this.#restored(dice),
    "versions.unload": (dice) => this.#restored(dice),
    "inspection.compare": (dice) => Effect.succeed({ query: [["to", this.#version(stable, dice)]] }),
    "uploads.create": () =>
      Effect.succeed({
        headers: [
          ["tus-resumable", "1.0.0"],
          ["upload-length", String(file.length)],
        ],
      }),
    "uploads.get": () => this.#session(file),
    "uploads.abort": () => this.#session(file),
    "uploads.append": (dice, seed) => {
      const bytes = variant(`p${seed}`)
      const sent = dice.int(4) === 0 ? bytes : bytes.subarray(0, dice.int(bytes.length))
      return Effect.map(this.#session(bytes), (parts) => ({
        ...parts,
        headers: [...parts.headers, ["upload-offset", "0"]] as Pairs,
        body: { bytes: sent, type: "application/offset+octet-stream" },
      }))
    },
    "aliases.move": (dice) =>
      Effect.succeed({
        query: [["force", "true"]],
        body: jsonBody({ version: Number(this.#version(changing, dice)), reason: "r" }),
      }),
    "aliases.get": (dice) => this.#alias(dice),
    "aliases.remove": (dice) => this.#alias(dice),
    "aliases.history": (dice) => this.#alias(dice),
    "aliases.rollback": (dice) => Effect.andThen(this.#alias(dice), this.#alias(dice)),
    "traffic.set": () => Effect.succeed({ body: jsonBody(this.#policy()) }),
    "traffic.get": () => this.#spread,
    "traffic.remove": () => this.#spread,
    "traffic.shadow": () => this.#spread,
    "traffic.history": () => this.#spread,
    "keys.create": () =>
      Effect.succeed({ body: jsonBody({ name: "k", scopes: ["predict", "read"], models: [stable] }) }),
    "keys.rotate": (dice) => Effect.succeed({ body: jsonBody({ overlapSeconds: dice.int(3600) }) }),
    "users.create": () => {
      const email = this.#email(this.#made++)
      return Effect.succeed({ body: jsonBody({ email, password, role: "viewer", name: "A" }) })
    },
    "auth.login": (dice) =>
      Effect.map(this.#send("GET", `/v1/users/${dice.pick(this.#users)}`), ({ json }) => ({
        body: jsonBody({ email: member(json, "email"), password }),
      })),
    "audit.list": (dice) =>
      Effect.succeed({
        query: dice.pick<Pairs>([
          [],
          [["action", "alias.moved"]],
          [
            ["type", "model"],
            ["target", stable],
          ],
          [["from", "2026-01-01T00:00:00Z"]],
        ]),
      }),
    "predict.predict": (dice) =>
      Effect.succeed(
        dice.int(5) === 0
          ? { params: { model: "wine" }, body: jsonBody({ inputs: wineInputs }) }
          : { body: jsonBody(dice.pick(predictions)) },
      ),
    "inferenceProtocol.infer": (dice) => this.#inference(dice),
    "inferenceProtocol.inferVersion": (dice) => this.#inference(dice),
    "inferenceProtocol.repositoryIndex": () => Effect.succeed({ body: jsonBody({ ready: true }) }),
    "inferenceProtocol.repositoryLoad": () => Effect.succeed({ body: jsonBody({}) }),
    "inferenceProtocol.repositoryUnload": () =>
      Effect.succeed({ body: jsonBody({ parameters: { unload_dependents: true } }) }),
  }

  readonly #policy = () => {
    const [first = "1", second = "1"] = this.#versions.get(changing) ?? []
    return {
      split: [
        { version: Number(first), weight: 90 },
        { version: Number(second), weight: 10 },
      ],
      sticky: "header:x",
      shadow: [{ version: Number(second), percent: 1 }],
      rollback: { errorRate: 0.5, windowSeconds: 10, minRequests: 5 },
    }
  }

  readonly #spread = Effect.suspend(() =>
    Effect.as(
      this.#send("PUT", `/v1/models/${changing}/traffic?force=true`, { json: this.#policy() }),
      {} satisfies Parts,
    ),
  )

  /** A version that is not archived. */
  readonly #restored = (dice: Random) => {
    const version = this.#version(changing, dice)
    return Effect.as(this.#post(`/v1/models/${changing}/versions/${version}/restore`, undefined), {
      params: { version },
    })
  }

  /** An alias that is there. */
  readonly #alias = (dice: Random) => {
    const [alias, version] = ["a", Number(this.#version(changing, dice))]
    return Effect.as(
      this.#send("PUT", `/v1/models/${changing}/aliases/${alias}?force=true`, { json: { version } }),
      { params: { model: changing, alias } },
    )
  }

  /** An upload of these bytes, of which none are there yet. */
  readonly #session = (bytes: Buffer) => {
    const headers = { "tus-resumable": "1.0.0", "upload-length": String(bytes.length) }
    const path = `/v1/models/${changing}/uploads`
    return Effect.map(this.#send("POST", path, { headers }), ({ json }) => {
      const upload = member(json, "id")
      return {
        params: { upload },
        headers: [["tus-resumable", "1.0.0"]] as Pairs,
        after: Effect.asVoid(
          this.#send("DELETE", `${path}/${upload}`, { headers: { "tus-resumable": "1.0.0" } }),
        ),
      }
    })
  }

  readonly #inference = (dice: Random): Effect.Effect<Parts> => {
    if (dice.int(4) !== 0) return Effect.succeed({ body: jsonBody(dice.pick(inferences)) })
    const head = JSON.stringify({
      inputs: [{ name: "x", datatype: "FP32", shape: [2, 2], parameters: { binary_data_size: 16 } }],
    })
    return Effect.succeed({
      headers: [["inference-header-content-length", String(head.length)]],
      body: { bytes: Buffer.concat([Buffer.from(head), floats]), type: "application/octet-stream" },
    })
  }

  /** By the rules of HTTP: what the caller knows, and where a list goes on. Now and then, as real clients do. */
  readonly #refined = Effect.fnUntraced(
    { self: this },
    function* ({ method, parameters }: Operation, path: string, dice: Random) {
      const takes = (place: string, name: string) =>
        parameters.some((parameter) => parameter.in === place && parameter.name === name)
      const [query, headers]: [Array<readonly [string, string]>, Array<readonly [string, string]>] = [[], []]
      if (takes("query", "cursor") && dice.int(2) === 0) {
        const cursor = member((yield* this.#send("GET", `${path}?limit=1`)).json, "nextCursor")
        query.push(["limit", String(1 + dice.int(5))])
        if (cursor !== "" && cursor !== "null") query.push(["cursor", cursor])
      }
      const conditional = method === "GET" ? "if-none-match" : "if-match"
      if (takes("header", conditional) && dice.int(3) === 0) {
        const { etag } = (yield* this.#send("GET", path)).headers
        if (etag !== undefined) headers.push([conditional, etag])
      }
      if (takes("header", "idempotency-key") && dice.int(3) === 0)
        headers.push(["idempotency-key", `k-${dice.int(8)}`])
      return { query, headers }
    },
  )

  /** Made, where need be, by requests of its own. */
  readonly valid = Effect.fnUntraced(
    { self: this },
    function* (operation: Operation, dice: Random, seed: number) {
      const { id, method, path, json } = operation
      const make = this.#parts[id]
      const parts = make === undefined ? {} : yield* make(dice, seed)
      const model = method === "GET" || /\/(?:infer|predict)$/.test(path) ? stable : changing
      const params = {
        model: /traffic|uploads/.test(path) ? changing : model,
        version: this.#version(model, dice),
        alias: model === stable ? dice.pick(["production", "staging"]) : dice.pick(aliases),
        key: dice.pick(this.#keys),
        user: dice.pick(this.#users),
        ...parts.params,
      }
      const refined = yield* this.#refined(operation, fill(path, params), dice)
      return {
        operation,
        params,
        query: [...(parts.query ?? []), ...refined.query],
        headers: [...(parts.headers ?? []), ...refined.headers],
        body: parts.body ?? (json === undefined ? undefined : jsonBody(json)),
        ...(parts.after === undefined ? {} : { after: parts.after }),
      } satisfies ValidRequest
    },
  )
}

/** A path with its names filled in. */
export const fill = (path: string, params: Readonly<Record<string, string>>): string =>
  path.replaceAll(/\{(\w+)\}/g, (_, name: string) => params[name] ?? name)
