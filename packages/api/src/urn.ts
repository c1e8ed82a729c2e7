/** The type of a problem, for programs: stable. */
export const urn = <const Name extends string>(name: Name) => `urn:modelforge:problem:${name}` as const
