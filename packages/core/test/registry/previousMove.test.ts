import { assert, it } from "@effect/vitest"
import { DateTime } from "effect"
import { AliasMove } from "../../src/model/Alias.ts"
import { AliasName } from "../../src/model/Names.ts"
import { VersionNumber } from "../../src/model/Version.ts"
import { previousMove } from "../../src/registry/previousMove.ts"

const v = (version: number) => VersionNumber.make(version)

class History {
  #moves: ReadonlyArray<AliasMove> = []
  ready = new Set([1, 2, 3, 4, 5].map(v))
  move(version: number | null, restores: number | null = null) {
    const [newest] = this.#moves
    const made = new AliasMove({
      alias: AliasName.make("production"),
      move: (newest?.move ?? 0) + 1,
      from: newest?.version ?? null,
      version: version === null ? null : v(version),
      updatedAt: DateTime.makeUnsafe(0),
      updatedBy: null,
      reason: null,
      restores,
    })
    this.#moves = [made, ...this.#moves]
  }
  /** Rolls back, and gives where it went; undefined when there is nothing to go back to. */
  rollback(): number | undefined {
    const target = previousMove(this.#moves, this.ready)
    if (target !== undefined) this.move(target.version, target.restores)
    return target?.version
  }
}

const after = (...moves: ReadonlyArray<number | null>) => {
  const history = new History()
  for (const version of moves) history.move(version)
  return history
}

it("goes back step by step, and not to and fro", () => {
  const history = after(1, 2, 3)
  assert.deepStrictEqual(
    [history.rollback(), history.rollback(), history.rollback(), history.rollback()],
    [2, 1, undefined, undefined],
  )
})

it("never returns to what was rolled back from, also after another move", () => {
  const history = after(1, 2, 3)
  assert.strictEqual(history.rollback(), 2)
  history.move(4)
  assert.deepStrictEqual([history.rollback(), history.rollback(), history.rollback()], [2, 1, undefined])
})

it("passes over what is not ready, what it points at already, and what was rolled back from below that", () => {
  const history = after(1, 2, 3, 2)
  history.ready.delete(v(3))
  assert.strictEqual(history.rollback(), 1)
  const other = after(1, 2, 3)
  assert.strictEqual(other.rollback(), 2)
  other.move(4)
  other.ready.delete(v(2))
  // Not 3, which was rolled back from before 4 came.
  assert.strictEqual(other.rollback(), 1)
})

it("what was rolled back from comes again when somebody moves there and on", () => {
  const history = after(1, 2)
  assert.strictEqual(history.rollback(), 1)
  history.move(2)
  history.move(3)
  assert.deepStrictEqual([history.rollback(), history.rollback(), history.rollback()], [2, 1, undefined])
})

it("a deletion in between is no step", () => {
  const history = after(1, null, 2)
  assert.deepStrictEqual([history.rollback(), history.rollback()], [1, undefined])
})

it("has nothing before the first, or of none", () => {
  assert.isUndefined(after(1).rollback())
  assert.isUndefined(after().rollback())
})
