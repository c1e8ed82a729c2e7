import { assert, it } from "@effect/vitest"
import { DateTime, Effect } from "effect"
import fc from "fast-check"
import { draftFrom } from "../../src/audit/AuditDraft.ts"
import { type AuditHead, AuditStore } from "../../src/audit/AuditStore.ts"
import { emptyHead, link } from "../../src/audit/chain.ts"
import { verifyChain } from "../../src/audit/verifyChain.ts"
import { AuditEntry, AuditHash, AuditSequence } from "../../src/model/AuditEntry.ts"

const chainOf = (count: number) => {
  const entries: Array<AuditEntry> = []
  let head = emptyHead
  for (let i = 0; i < count; i++) {
    const event = { action: "model.updated", target: { type: "model", id: "digits" }, after: { i } } as const
    const entry = link(
      head,
      draftFrom("ada", { address: null, requestId: null }, event),
      DateTime.makeUnsafe(i),
    )
    entries.push(entry)
    head = entry
  }
  return entries
}

const storeOf = (entries: ReadonlyArray<AuditEntry>, head: AuditHead) =>
  AuditStore.of({
    append: () => Effect.die("not here"),
    list: () => Effect.die("not here"),
    read: (first, limit) =>
      Effect.succeed(entries.filter(({ sequence }) => sequence >= first).slice(0, limit)),
    head: Effect.succeed(head),
  })

const verdict = (entries: ReadonlyArray<AuditEntry>, head: AuditHead, first?: number, last?: number) =>
  Effect.runSync(
    verifyChain(storeOf(entries, head), {
      first: first === undefined ? undefined : AuditSequence.make(first),
      last: last === undefined ? undefined : AuditSequence.make(last),
    }),
  )

const chain = chainOf(1203)
const head = chain[1202] ?? emptyHead

it("a whole chain is intact, of any length and in any part", () => {
  assert.deepStrictEqual(verdict(chain, head), { _tag: "Intact", entries: 1203 })
  assert.deepStrictEqual(verdict([], emptyHead), { _tag: "Intact", entries: 0 })
  assert.deepStrictEqual(verdict(chain, head, 500, 1001), { _tag: "Intact", entries: 502 })
  assert.deepStrictEqual(verdict(chain, head, 1203), { _tag: "Intact", entries: 1 })
  assert.deepStrictEqual(verdict(chain, head, 5000), { _tag: "Intact", entries: 0 })
})

const changes: ReadonlyArray<(entry: AuditEntry) => Partial<AuditEntry>> = [
  () => ({ actor: "eve" }),
  () => ({ at: DateTime.makeUnsafe(5_000_000) }),
  () => ({ action: "model.created" }),
  () => ({ target: { type: "model", id: "letters" } }),
  () => ({ target: { type: "version", id: "digits" } }),
  () => ({ from: "192.0.2.1" }),
  () => ({ requestId: "x" }),
  () => ({ reason: "x" }),
  () => ({ before: {} }),
  () => ({ after: { i: -1 } }),
  ({ previousHash }) => ({
    previousHash: AuditHash.make(previousHash.replace(/^./, (c) => (c === "0" ? "1" : "0"))),
  }),
  ({ hash }) => ({ hash: AuditHash.make(hash.replace(/^./, (c) => (c === "0" ? "1" : "0"))) }),
]

it("any one entry that is changed, removed, repeated or swapped is found, where it is", () => {
  const short = chain.slice(0, 40)
  const last = short[39] ?? emptyHead
  const broken = (entries: ReadonlyArray<AuditEntry>, at: number) =>
    assert.deepInclude(verdict(entries, last), { _tag: "Broken", sequence: at })
  fc.assert(
    fc.property(fc.nat(39), fc.nat(39), fc.constantFrom(...changes), (one, two, change) => {
      const entry = short[one]
      const other = short[two]
      if (entry === undefined || other === undefined) return
      broken(short.with(one, new AuditEntry({ ...entry, ...change(entry) })), one + 1)
      broken(short.toSpliced(one, 1), one + 1)
      if (one === two) return
      const swapped = short
        .with(one, new AuditEntry({ ...other, sequence: entry.sequence }))
        .with(two, new AuditEntry({ ...entry, sequence: other.sequence }))
      broken(swapped, Math.min(one, two) + 1)
      // Everything after one is made anew, but not the head.
      broken(short.with(one, new AuditEntry({ ...other, sequence: entry.sequence })), one + 1)
    }),
    { seed: 5, numRuns: 300 },
  )
  broken(short.slice(0, -1), 40)
})

it("a whole other chain of the same length is found by its end", () => {
  const other = chain.slice(0, 40)
  const { hash, sequence } = { ...emptyHead, sequence: 40, hash: AuditHash.make("f".repeat(64)) }
  assert.deepInclude(verdict(other, { sequence, hash }), { _tag: "Broken", sequence: 40 })
})
