/** Handlers of the audit log: translate, nothing else. */
import { type AuditVerdict, BadRequestProblem, ForgeApi } from "@modelforge/api"
import { AuditLog, AuditSequence, type AuditVerdict as Verdict } from "@modelforge/core"
import { Effect, Option } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { answeringAccess } from "./accessFailures.ts"
import { makeCursors } from "./cursor.ts"

const sequenceKey = (key: string) =>
  /^[1-9]\d{0,14}$/.test(key) ? AuditSequence.makeOption(Number(key)) : Option.none()

const untyped = () =>
  new BadRequestProblem({
    detail: "query.target: say what it is with type, as in ?type=model&target=digits",
    errors: [{ path: "query.target", message: "needs the parameter type beside it" }],
  })

const resource = (verdict: Verdict): AuditVerdict =>
  verdict._tag === "Intact"
    ? { intact: true, entries: verdict.entries, sequence: null, detail: null }
    : { intact: false, entries: null, sequence: verdict.sequence, detail: verdict.detail }

export const layerAudit = HttpApiBuilder.group(
  ForgeApi,
  "audit",
  Effect.fnUntraced(function* (handlers) {
    const log = yield* AuditLog
    const { windowOf, pageOf } = yield* makeCursors
    return handlers.handleAll({
      list: Effect.fnUntraced(function* ({ query }) {
        const { actor, action, type, target: id, from, to } = query
        if (id !== undefined && type === undefined) return yield* untyped()
        const window = yield* windowOf(["audit"], query, sequenceKey)
        const entries = yield* log.list(
          { actor, action, target: type === undefined ? undefined : { type, id }, from, to },
          { ...window, limit: window.limit + 1 },
        )
        return pageOf(["audit"], entries, window.limit, ({ sequence }) => sequence)
      }, answeringAccess()),
      verify: () => log.verify().pipe(Effect.map(resource), answeringAccess()),
    })
  }),
)
