/** The paths of the data plane, recognised without a router: they are few, and every prediction passes here. */

export interface DataRoute {
  /** `predict` is `/v1`'s JSON for people; `infer` is V2's. */
  readonly kind: "predict" | "infer"
  readonly model: string
  /** A number or an alias, where the path has one. */
  readonly version: string | undefined
}

const decodeSegment = (segment: string): string => {
  if (!segment.includes("%")) return segment
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment // not percent-encoding: no model has such a name, so the answer is 404
  }
}

const predictPath = /^\/v1\/models\/([^/]+)\/predict$/
const inferPath = /^\/v2\/models\/([^/]+)(?:\/versions\/([^/]+))?\/infer$/

/** The route of a request target, query and all; undefined when it is not the data plane's. */
export const matchRoute = (target: string): DataRoute | undefined => {
  if (!target.startsWith("/v")) return undefined
  const query = target.indexOf("?")
  const path = query === -1 ? target : target.slice(0, query)
  const predict = predictPath.exec(path)
  if (predict !== null) return { kind: "predict", model: decodeSegment(predict[1] ?? ""), version: undefined }
  const infer = inferPath.exec(path)
  if (infer === null) return undefined
  const [, model = "", version] = infer
  return {
    kind: "infer",
    model: decodeSegment(model),
    version: version === undefined ? undefined : decodeSegment(version),
  }
}
