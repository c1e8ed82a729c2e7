/** What an endpoint asks of its caller. Every endpoint says so: one that says nothing can't be mounted. */
import type { Permission } from "@modelforge/core/model"
import * as Context from "effect/Context"

export class Permitted extends Context.Service<Permitted, Permission>()("@modelforge/api/Permitted") {}
