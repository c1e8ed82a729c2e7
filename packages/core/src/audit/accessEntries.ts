/** What the audit log says of keys and users: what people chose of them, and no secret. */
import type { ApiKey } from "../model/ApiKey.ts"
import type { User } from "../model/User.ts"

export const keyView = ({ name, scopes, models, expiresAt, rateLimit, quota }: ApiKey) => ({
  name,
  scopes,
  models,
  expiresAt,
  rateLimit,
  quota,
})

export const userView = ({ name, role, disabled }: User) => ({ name, role, disabled })
