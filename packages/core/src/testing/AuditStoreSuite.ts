/** The behaviour of every `AuditStore`, beside the `RegistryStore` that writes to it. */
import { assert, type Vitest, layer as withLayer } from "@effect/vitest"
import { DateTime, Effect, type Layer } from "effect"
import { draftFrom, draftOf } from "../audit/AuditDraft.ts"
import { AuditStore } from "../audit/AuditStore.ts"
import { verifyChain } from "../audit/verifyChain.ts"
import { Actor } from "../events/Actor.ts"
import { Origin } from "../events/Origin.ts"
import { AuditSequence } from "../model/AuditEntry.ts"
import type { ModelName } from "../model/Names.ts"
import { RegistryStore } from "../registry/RegistryStore.ts"
import {
  canary,
  failsWith,
  freshName,
  oddText,
  production,
  uuid,
  v,
  draftOf as versionDraft,
} from "./RegistryStoreFixtures.ts"

type Needs = AuditStore | RegistryStore

const origin: Origin = { address: "192.0.2.1", requestId: "request-1" }

/** What the log says of a model and all that belongs to it, oldest first. */
const entriesOf = (model: ModelName) =>
  AuditStore.use((store) =>
    Effect.map(store.list({}, { limit: 200 }), (entries) =>
      entries.filter(({ target }) => target.id === model || target.id.startsWith(`${model}/`)).reverse(),
    ),
  )

const next = ({ sequence }: { readonly sequence: number }) => AuditSequence.make(sequence + 1)

const logTests = (it: Vitest.MethodsNonLive<Needs>) => {
  it.effect("an entry is kept to the letter, and its hash with it", () =>
    Effect.gen(function* () {
      const store = yield* AuditStore
      const head = yield* store.head
      const draft = yield* draftOf({
        action: "login.failed",
        target: { type: "user", id: oddText },
        reason: `${oddText} \ud800 \0`,
        before: { b: [1, 1e21, -0, 0.1], a: { "\u0000 \ud800": null, é: oddText } },
        after: false,
      }).pipe(Effect.provideService(Actor, `user:${oddText}`), Effect.provideService(Origin, origin))
      const entry = yield* store.append(draft)
      assert.deepStrictEqual(yield* store.read(next(head), 1), [entry])
      assert.deepInclude(entry, { from: "192.0.2.1", requestId: "request-1", previousHash: head.hash })
      assert.deepStrictEqual(yield* verifyChain(store, { first: next(head) }), { _tag: "Intact", entries: 1 })
      assert.deepInclude(yield* store.head, { sequence: entry.sequence, hash: entry.hash })
    }),
  )

  it.effect("entries are found by who, what, to what and when, newest first, page by page", () =>
    Effect.gen(function* () {
      const store = yield* AuditStore
      const [actor, id] = [`user:${uuid()}`, uuid()]
      const append = (action: "login.failed" | "user.updated", by: string | null) =>
        store.append(draftFrom(by, origin, { action, target: { type: "user", id } }))
      const made = [
        yield* append("user.updated", actor),
        yield* append("login.failed", null),
        yield* append("user.updated", actor),
        yield* append("user.updated", "another"),
      ]
      const found = (filter: Parameters<typeof store.list>[0], after?: AuditSequence) =>
        Effect.map(store.list(filter, { limit: 2, after }), (entries) =>
          entries.map(({ sequence }) => made.findIndex((entry) => entry.sequence === sequence)),
        )
      const target = { type: "user", id } as const
      assert.deepStrictEqual(yield* found({ target }), [3, 2])
      assert.deepStrictEqual(yield* found({ target }, made[2]?.sequence), [1, 0])
      assert.deepStrictEqual(yield* found({ actor }), [2, 0])
      assert.deepStrictEqual(yield* found({ target, action: "login.failed" }), [1])
      assert.deepStrictEqual(yield* found({ target: { type: "key", id } }), [])
      const first = made[0]?.at ?? (yield* DateTime.now)
      const last = made[3]?.at ?? first
      assert.deepStrictEqual(yield* found({ target, to: first }), [])
      assert.deepStrictEqual(yield* found({ target, from: DateTime.add(last, { milliseconds: 1 }) }), [])
      assert.deepStrictEqual(
        yield* found({ target, from: first, to: DateTime.add(last, { milliseconds: 1 }) }),
        [3, 2],
      )
    }),
  )
}

const registryTests = (it: Vitest.MethodsNonLive<Needs>) => {
  it.effect("every change of the registry is an entry with before and after; what was refused is none", () =>
    Effect.gen(function* () {
      const store = yield* RegistryStore
      const model = freshName("audited")
      const bare = { description: "", tags: [], labels: {} }
      yield* store.insertModel({ name: model, tags: ["a"] })
      yield* store.updateModel(model, { description: "new", labels: { team: "x" } })
      yield* store.setConfig(model, { instances: 2 })
      const first = yield* store.insertVersion(
        versionDraft(model, { alias: production, createdBy: "uploader" }),
      )
      const second = yield* store.insertVersion(
        versionDraft(model, { state: "validating", alias: canary, createdBy: "uploader" }),
      )
      yield* store.settleVersion(model, v(2), { state: "ready" })
      yield* store.insertVersion(versionDraft(model, { state: "validating", createdBy: "uploader" }))
      yield* store.settleVersion(model, v(3), { state: "invalid", reason: "it does not load" })
      yield* store.setAlias(model, production, v(2), { reason: "better" })
      yield* store.setAlias(model, production, v(2))
      yield* store.setTraffic(model, { split: [{ version: v(2), weight: 100 }] }, { reason: "all" })
      yield* failsWith("TrafficConflict", store.setAlias(model, production, v(1)))
      yield* store.setTraffic(model, null)
      yield* store.deleteAlias(model, canary)
      yield* store.describeVersion(model, v(1), "old")
      yield* store.setArchived(model, v(1), true)
      yield* store.setArchived(model, v(1), false)
      yield* store.deleteVersion(model, v(1))
      yield* store.deleteModel(model)
      yield* failsWith("ModelNotFound", store.deleteModel(model))

      const entries = yield* entriesOf(model)
      const about = { description: "new", tags: ["a"], labels: { team: "x" } }
      const policy = { split: [{ version: 2, weight: 100 }] }
      const file = ({ digest, size }: typeof first) => ({ digest, size })
      const expected: ReadonlyArray<ReadonlyArray<unknown>> = [
        ["ada", "model.created", "", null, { ...bare, tags: ["a"] }, null],
        ["ada", "model.updated", "", { ...bare, tags: ["a"] }, about, null],
        ["ada", "model.configured", "", {}, { instances: 2 }, null],
        ["uploader", "version.committed", "/1", null, { state: "ready", ...file(first) }, null],
        ["uploader", "alias.moved", "/production", null, { version: 1 }, null],
        ["uploader", "version.committed", "/2", null, { state: "validating", ...file(second) }, null],
        ["uploader", "version.validated", "/2", { state: "validating" }, { state: "ready" }, null],
        ["uploader", "alias.moved", "/canary", null, { version: 2 }, null],
      ]
      const rest: ReadonlyArray<ReadonlyArray<unknown>> = [
        [
          "uploader",
          "version.validated",
          "/3",
          { state: "validating" },
          { state: "invalid", reason: "it does not load" },
          null,
        ],
        ["ada", "alias.moved", "/production", { version: 1 }, { version: 2 }, "better"],
        ["ada", "traffic.changed", "", null, policy, "all"],
        ["ada", "traffic.changed", "", policy, null, null],
        ["ada", "alias.moved", "/canary", { version: 2 }, null, null],
        ["ada", "version.described", "/1", { description: first.description }, { description: "old" }, null],
        ["ada", "version.archived", "/1", { state: "ready" }, { state: "archived" }, null],
        ["ada", "version.restored", "/1", { state: "archived" }, { state: "ready" }, null],
        ["ada", "version.deleted", "/1", { state: "ready", ...file(first) }, null, null],
        [
          "ada",
          "model.deleted",
          "",
          { ...about, aliases: { production: 2 }, traffic: null, config: { instances: 2 } },
          null,
          null,
        ],
      ]
      const rows = entries.map(({ actor, action, target, before, after, reason }) => [
        actor,
        action,
        target.id.slice(model.length),
        before,
        after,
        reason,
      ])
      assert.deepStrictEqual<unknown>(rows.slice(0, expected.length), expected)
      // Between them stands the commit of version 3.
      assert.strictEqual(entries[expected.length]?.target.id, `${model}/3`)
      assert.deepStrictEqual<unknown>(rows.slice(expected.length + 1), rest)
      for (const { from, requestId } of entries)
        assert.deepStrictEqual({ from, requestId }, { from: origin.address, requestId: origin.requestId })
    }).pipe(Effect.provideService(Actor, "ada"), Effect.provideService(Origin, origin)),
  )

  it.effect("a chain without holes or forks, whoever writes at the same time", () =>
    Effect.gen(function* () {
      const [store, registry] = [yield* AuditStore, yield* RegistryStore]
      const before = yield* store.head
      const model = freshName("crowd")
      const models = Array.from({ length: 25 }, () => freshName("crowd"))
      yield* Effect.all(
        [
          ...models.map((name) => registry.insertModel({ name })),
          ...models.map(() =>
            registry.insertVersion(versionDraft(model, { createModel: true, alias: production })),
          ),
        ],
        { concurrency: "unbounded" },
      )
      const head = yield* store.head
      // One for each model, two for each version, and one for the model of those.
      assert.strictEqual(head.sequence - before.sequence, 25 + 50 + 1)
      assert.deepStrictEqual(yield* verifyChain(store, { first: next(before) }), {
        _tag: "Intact",
        entries: 76,
      })
      assert.deepInclude(yield* verifyChain(store), { _tag: "Intact", entries: head.sequence })
    }),
  )
}

/** Registers the tests; call it at the top of a test file. Nobody else may write to the log meanwhile. */
export const suite = <E>(name: string, storeLayer: Layer.Layer<Needs, E>) =>
  withLayer(storeLayer, { timeout: "60 seconds", excludeTestServices: true })(
    `AuditStore (${name})`,
    (it) => {
      logTests(it)
      registryTests(it)
    },
  )
