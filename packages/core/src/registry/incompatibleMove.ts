/** Whether callers of an alias may fail where it is to point. */
import { compareSignatures } from "../model/compareSignatures.ts"
import type { AliasName } from "../model/Names.ts"
import type { Signature } from "../model/Signature.ts"
import type { Version, VersionNumber } from "../model/Version.ts"
import { IncompatibleSignature } from "./RegistryError.ts"

/** Why the alias should not move from one version to another, or to a file that is to become one. */
export const incompatibleMove = (
  alias: AliasName,
  from: Version,
  to: { readonly version: VersionNumber | null; readonly signature: Signature },
): IncompatibleSignature | undefined => {
  const differences = compareSignatures(from.signature, to.signature).filter(({ breaking }) => breaking)
  return differences.length === 0
    ? undefined
    : new IncompatibleSignature({
        model: from.model,
        alias,
        from: from.version,
        to: to.version,
        differences,
      })
}
