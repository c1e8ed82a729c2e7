import { readFileSync } from "node:fs"
import { assert, it } from "@effect/vitest"
import { exampleModels } from "@modelforge/example-models"
import { Effect, Fiber, Option } from "effect"
import { type Random, random } from "../../../core/test/random.ts"
import * as onnx from "../../../onnx/test/onnxFile.ts"
import { nothingRunsIn } from "../../../postgres/test/embedded/harness.ts"
import { sharedFolder, startServer } from "./command.ts"
import { send, type Target, upload } from "./http.ts"
import { checkRegistry, type RegistryState, stateOf } from "./registryChecker.ts"

const inFull = process.env["MODELFORGE_SOAK"] === "1"
const rounds = inFull ? 60 : 3
const seed = 7

const folder = sharedFolder()
const start = Effect.flatMap(folder, (folder) => startServer({ folder }))

const wine = readFileSync(exampleModels.find(({ name }) => name === "wine")?.file ?? "")
const aliases = ["production", "canary"] as const
const versions = "/v1/models/wine/versions"

/** A change, and whether a state can be what it makes of another. */
interface Change {
  readonly what: string
  readonly call: (target: Target) => ReturnType<typeof send>
  readonly leads: (before: RegistryState, after: RegistryState) => boolean
}

const same = (left: unknown, right: unknown) => JSON.stringify(sorted(left)) === JSON.stringify(sorted(right))
const sorted = (value: unknown): unknown =>
  typeof value === "object" && value !== null
    ? Object.entries(value)
        .map(([key, member]) => [key, sorted(member)])
        .sort()
    : value

const without = <Value>(record: Readonly<Record<string, Value>>, key: string | number) =>
  Object.fromEntries(Object.entries(record).filter(([other]) => other !== String(key)))

/** The number of a version, mostly one that is there. */
const anyVersion = ({ int }: Random, { versions }: RegistryState) => {
  const numbers = Object.keys(versions)
  return Number(numbers[int(numbers.length)] ?? 1)
}

let uploaded = 0
const push: Change = {
  what: "upload",
  call: (target) =>
    upload(target, "wine", onnx.concat(wine, onnx.bytes(6, `upload ${++uploaded} of seed ${seed}`))),
  leads: (before, after) => {
    const added = Object.keys(after.versions).filter((version) => !(version in before.versions))
    return (
      added.length === 1 &&
      same(before, { ...after, versions: without(after.versions, added[0] ?? "") }) &&
      Object.keys(before.versions).every((version) => Number(version) < Number(added[0]))
    )
  },
}

const anyChange = (generator: Random, state: RegistryState): Change => {
  const { int } = generator
  const alias = aliases[int(2)] ?? "production"
  const version = anyVersion(generator, state)
  const path = `/v1/models/wine/aliases/${alias}`
  const settled =
    (to: string): Change["leads"] =>
    (before, after) =>
      same(after, { ...before, versions: { ...before.versions, [version]: to } })
  const changes: ReadonlyArray<Change> = [
    {
      what: `${alias} to ${version}`,
      call: (target) => send(target, "PUT", path, { json: { version } }),
      leads: (before, after) => same(after, { ...before, aliases: { ...before.aliases, [alias]: version } }),
    },
    {
      what: `rollback of ${alias}`,
      call: (target) => send(target, "POST", `${path}/rollback`),
      leads: (before, after) =>
        after.aliases[alias] !== undefined &&
        after.aliases[alias] !== before.aliases[alias] &&
        same(after, { ...before, aliases: { ...before.aliases, [alias]: after.aliases[alias] } }),
    },
    {
      what: `deletion of ${alias}`,
      call: (target) => send(target, "DELETE", path),
      leads: (before, after) => same(after, { ...before, aliases: without(before.aliases, alias) }),
    },
    {
      what: `archiving ${version}`,
      call: (target) => send(target, "POST", `${versions}/${version}/archive`),
      leads: settled("archived"),
    },
    {
      what: `restoring ${version}`,
      call: (target) => send(target, "POST", `${versions}/${version}/restore`),
      leads: settled("ready"),
    },
    {
      what: `deletion of ${version}`,
      call: (target) => send(target, "DELETE", `${versions}/${version}`),
      leads: (before, after) => same(after, { ...before, versions: without(before.versions, version) }),
    },
  ]
  return changes[int(changes.length)] ?? push
}

/** A change, what was before it, and the status it was answered with, if it was. */
interface Made {
  readonly before: RegistryState
  readonly change: Change
  readonly answered: number | undefined
}

/** What was answered is so; what was not may be. */
const isOutcome = ({ before, change, answered }: Made, after: RegistryState) => {
  const [unchanged, changed] = [same(before, after), change.leads(before, after)]
  if (answered === undefined) return unchanged || changed
  return answered < 300 ? changed : unchanged
}

const describe = ({ before, change, answered }: Made, after: RegistryState) =>
  `seed ${seed}: ${change.what} answered ${answered}, ${JSON.stringify(before)} became ${JSON.stringify(after)}`

const pushFour = Effect.fnUntraced(function* (target: Target) {
  for (const _version of [1, 2, 3, 4]) assert.strictEqual((yield* push.call(target)).status, 201)
  return { last: undefined, done: 4 }
})

/** Makes changes one after the other until the server is gone; gives the last one, and how many were before it. */
const changeUntilKilled = Effect.fnUntraced(function* (
  target: Target,
  state: RegistryState,
  generator: Random,
) {
  let before = state
  for (let done = 0; ; done++) {
    const change = Object.keys(before.versions).length < 4 ? push : anyChange(generator, before)
    const answer = yield* Effect.option(change.call(target))
    const made: Made = { before, change, answered: Option.getOrUndefined(answer)?.status }
    const after = yield* Effect.option(stateOf(target))
    if (Option.isNone(answer) || Option.isNone(after)) return { last: made, done }
    assert.isTrue(isOutcome(made, after.value), describe(made, after.value))
    before = after.value
  }
})

it.live(`changes cut off by kill -9 happen whole or not at all (${rounds} rounds)`, () =>
  Effect.gen(function* () {
    const generator = random(seed)
    let all = 0
    let last: Made | undefined
    for (let round = 0; round <= rounds; round++)
      last = yield* Effect.scoped(
        Effect.gen(function* () {
          const server = yield* start
          const state = yield* checkRegistry(server.target, aliases)
          if (last !== undefined) assert.isTrue(isOutcome(last, state), describe(last, state))
          if (round === rounds) return undefined
          const changing = yield* Effect.forkChild(
            // The first one makes the versions that the others are about.
            round === 0 ? pushFour(server.target) : changeUntilKilled(server.target, state, generator),
          )
          if (round === 0) yield* Fiber.await(changing)
          else yield* Effect.sleep(generator.int(800))
          yield* server.signal("SIGKILL")
          const end = yield* Fiber.join(changing)
          yield* nothingRunsIn(server.folder)
          all += end.done
          return end.last
        }),
      )
    if (inFull) assert.isAbove(all, rounds, "the kills come too early for anything to happen")
  }),
)
