/** Lua that Redis runs as one step, in one round trip. */
import { createHash } from "node:crypto"
import type { Redis } from "ioredis"

export class RedisScript {
  readonly #lua: string
  readonly #digest: string

  constructor(lua: string) {
    this.#lua = lua
    this.#digest = createHash("sha1").update(lua).digest("hex")
  }

  async run(
    redis: Redis,
    keys: ReadonlyArray<string>,
    args: ReadonlyArray<string | number>,
  ): Promise<unknown> {
    try {
      return await redis.evalsha(this.#digest, keys.length, ...keys, ...args)
    } catch (error) {
      // Redis has been restarted, or never saw it: nothing was done.
      if (!(error instanceof Error && error.message.startsWith("NOSCRIPT"))) throw error
      return await redis.eval(this.#lua, keys.length, ...keys, ...args)
    }
  }
}
