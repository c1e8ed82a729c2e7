/** Where a rollback goes. */
import type { AliasMove } from "../model/Alias.ts"
import type { VersionNumber } from "../model/Version.ts"

/** The move whose effect a move has: its own, or that which it restored. */
const effective = ({ move, restores }: AliasMove) => restores ?? move

/**
 * The move before the newest whose version is ready and another one, in a history that is newest first. What rollbacks
 * undid is passed over, so that repeated rollbacks go further back and never return to what was rolled back from.
 */
export const previousMove = (
  moves: ReadonlyArray<AliasMove>,
  ready: ReadonlySet<VersionNumber>,
): { readonly version: VersionNumber; readonly restores: number } | undefined => {
  const [newest, ...older] = moves
  if (newest === undefined) return undefined
  let below = effective(newest)
  for (const candidate of older) {
    if (candidate.move >= below) continue
    const { version } = candidate
    if (version !== null && version !== newest.version && ready.has(version))
      return { version, restores: effective(candidate) }
    below = effective(candidate)
  }
  return undefined
}
