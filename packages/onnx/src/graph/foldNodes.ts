/**
 * Folds many nodes into few groups. The nodes stay in the file's order, in which everything comes after what it needs,
 * and every group is a run of them, so that groups never depend on each other in a circle.
 */

/** A run of nodes: from the first to before the last. */
export interface Run {
  readonly start: number
  readonly end: number
}

export interface Foldable {
  /** What each node does. */
  readonly operators: ReadonlyArray<string>
  /** How many tensors go from the nodes before each node to it or those after it. */
  readonly crossing: ReadonlyArray<number>
}

/** Up to as many boxes are shown one by one. */
export const foldAbove = 250
/** As many groups as are made of what does not repeat. */
const groups = 100
/** Fewer nodes are not worth a group. */
const smallestBlock = 4
/** Operators in a row by which a repetition is recognised. */
const windowLength = 8
/** Different blocks that are looked for. */
const maxBlocks = 6
/** Candidates for the length of a block that are tried. */
const maxCandidates = 8

/**
 * Nothing up to `foldAbove` nodes. Above, first whatever repeats its sequence of operators becomes one group a
 * repetition, cut where the fewest tensors cross; then, if more than `foldAbove` are left, neighbours are joined to
 * about a hundred groups of equal size, cut the same way.
 */
export const foldNodes = (nodes: Foldable): ReadonlyArray<Run> => {
  const count = nodes.operators.length
  let runs = singles(0, count)
  for (let blocks = 0; blocks < maxBlocks && runs.length > foldAbove; blocks++) {
    const repeated = repetitions(nodes, runs)
    if (repeated.length === 0) break
    runs = merge(runs, repeated)
  }
  return runs.length > foldAbove ? joinNeighbours(runs, nodes.crossing) : runs
}

const singles = (start: number, end: number): ReadonlyArray<Run> =>
  Array.from({ length: end - start }, (_, index) => ({ start: start + index, end: start + index + 1 }))

const isSingle = ({ start, end }: Run): boolean => end - start === 1

/** Replaces single nodes by the groups that hold them; both are in order. */
const merge = (runs: ReadonlyArray<Run>, made: ReadonlyArray<Run>): ReadonlyArray<Run> => {
  const covered = new Set(
    made.flatMap(({ start, end }) => Array.from({ length: end - start }, (_, i) => start + i)),
  )
  return [...runs.filter((run) => !isSingle(run) || !covered.has(run.start)), ...made].sort(
    (left, right) => left.start - right.start,
  )
}

/** The repetitions of the block that covers most of what is not grouped yet. */
const repetitions = (nodes: Foldable, runs: ReadonlyArray<Run>): ReadonlyArray<Run> => {
  const { operators } = nodes
  const free = new Array<boolean>(operators.length).fill(false)
  for (const run of runs) if (isSingle(run)) free[run.start] = true
  const repeats = (at: number, length: number) =>
    free[at] === true && free[at + length] === true && operators[at] === operators[at + length]

  let best: ReadonlyArray<Run> = []
  let covered = 0
  for (const length of candidates(operators, free)) {
    const found: Array<Run> = []
    for (const { start, end } of stretches(operators.length, (at) => repeats(at, length))) {
      // A stretch says that each of its nodes comes again; the last repetition of the one before may reach into it.
      const from = Math.max(start, found.at(-1)?.end ?? 0)
      if (end - from >= length) found.push(...cutBlocks({ start: from, end: end + length }, length, nodes))
    }
    if (found.length * length > covered) {
      best = found
      covered = found.length * length
    }
  }
  return best
}

/** The distances at which the same operators come again most often, shortest first. */
const candidates = (
  operators: ReadonlyArray<string>,
  free: ReadonlyArray<boolean>,
): ReadonlyArray<number> => {
  const numbers = new Map<string, number>()
  const last = new Map<string, number>()
  const votes = new Map<number, number>()
  const window: Array<number> = []
  for (const [at, operator] of operators.entries()) {
    const number = numbers.get(operator) ?? numbers.size
    numbers.set(operator, number)
    window.push(number)
    if (!free[at]) window.length = 0
    if (window.length > windowLength) window.shift()
    if (window.length < windowLength) continue
    const key = window.join()
    const before = last.get(key)
    last.set(key, at)
    if (before === undefined) continue
    const distance = at - before
    const length = distance * Math.ceil(smallestBlock / distance)
    votes.set(length, (votes.get(length) ?? 0) + 1)
  }
  return [...votes]
    .sort(([, left], [, right]) => right - left)
    .slice(0, maxCandidates)
    .map(([length]) => length)
    .sort((left, right) => left - right)
}

/** Maximal runs of indices for which something holds. */
const stretches = (count: number, holds: (at: number) => boolean): Array<Run> => {
  const found: Array<Run> = []
  let start = -1
  for (let at = 0; at <= count; at++) {
    if (at < count && holds(at)) {
      if (start < 0) start = at
    } else if (start >= 0) {
      found.push({ start, end: at })
      start = -1
    }
  }
  return found
}

/** Blocks of equal length in a stretch that repeats: begun where the fewest tensors cross the cuts. */
const cutBlocks = (stretch: Run, length: number, { crossing }: Foldable): ReadonlyArray<Run> => {
  const blocksFrom = (offset: number): ReadonlyArray<Run> =>
    Array.from({ length: Math.floor((stretch.end - stretch.start - offset) / length) }, (_, index) => ({
      start: stretch.start + offset + index * length,
      end: stretch.start + offset + (index + 1) * length,
    }))
  let best: ReadonlyArray<Run> = []
  let fewest = Number.POSITIVE_INFINITY
  for (let offset = 0; offset < length; offset++) {
    const blocks = blocksFrom(offset)
    if (blocks.length < 2) break
    const tensors = blocks.reduce((total, { start }) => total + (crossing[start] ?? 0), 0) / blocks.length
    if (tensors < fewest) {
      best = blocks
      fewest = tensors
    }
  }
  return best
}

/** Joins neighbouring runs to about `groups`, each cut within half a group's length of where equal sizes would have it. */
const joinNeighbours = (runs: ReadonlyArray<Run>, crossing: ReadonlyArray<number>): ReadonlyArray<Run> => {
  const size = Math.ceil(runs.length / groups)
  const joined: Array<Run> = []
  let from = 0
  while (from < runs.length) {
    let cut = Math.min(from + size, runs.length)
    if (cut < runs.length) {
      const latest = Math.min(from + size + Math.floor(size / 2), runs.length)
      for (let at = from + Math.ceil(size / 2); at <= latest; at++) {
        const better = tensorsAt(runs, at, crossing) - tensorsAt(runs, cut, crossing)
        const nearer = Math.abs(at - from - size) < Math.abs(cut - from - size)
        if (better < 0 || (better === 0 && nearer)) cut = at
      }
    }
    joined.push({ start: runs[from]?.start ?? 0, end: runs[cut - 1]?.end ?? 0 })
    from = cut
  }
  return joined
}

const tensorsAt = (runs: ReadonlyArray<Run>, at: number, crossing: ReadonlyArray<number>): number =>
  crossing[runs[at]?.start ?? -1] ?? 0
