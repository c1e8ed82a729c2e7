/**
 * The memory that loaded models may take together. Whoever is loaded is admitted first; room is made by those who were
 * used longest ago. Owns the account and the choice, not the models: each gives way by itself.
 */
import { Deferred, Effect, Exit, Semaphore } from "effect"

export interface Tenant {
  /** When it was last used: higher is later. */
  readonly lastUsed: number
  /** It can give way: it is loaded, and not leaving already. */
  readonly canLeave: boolean
  /** Takes no more requests, and calls `left` once its memory is free. */
  readonly leave: () => void
}

export class MemoryBudget {
  /** Bytes. */
  readonly limit: number
  /** Bytes of each, until it has left. */
  readonly #tenants = new Map<Tenant, number>()
  /** Bytes of those that were told to leave. */
  readonly #leaving = new Set<Tenant>()
  #used = 0
  #changed = Deferred.makeUnsafe<void>()
  /** First come, first served: a large model would otherwise wait for as long as small ones come. */
  readonly #turn = Semaphore.makeUnsafe(1)

  constructor(limit: number) {
    this.limit = limit
  }

  /** Bytes of all that are admitted. */
  get used(): number {
    return this.#used
  }

  /** Admits without making room; false when there is none. */
  tryAdmit(tenant: Tenant, bytes: number): boolean {
    if (this.#used + bytes > this.limit) return false
    this.#account(tenant, bytes)
    return true
  }

  /** Waits for room, and has others make it. `bytes` is within the limit. Does nothing for who is admitted already. */
  admit(tenant: Tenant, bytes: number): Effect.Effect<void> {
    return Effect.suspend(() =>
      this.#tenants.has(tenant) ? Effect.void : this.#turn.withPermits(1)(this.#waitForRoom(tenant, bytes)),
    )
  }

  #waitForRoom = Effect.fnUntraced(
    { self: this },
    function* (this: MemoryBudget, tenant: Tenant, bytes: number) {
      while (!this.tryAdmit(tenant, bytes)) {
        // Taken before anybody is told to leave: some may have left at once.
        const changed = this.#changed
        this.#makeRoom(bytes)
        yield* Deferred.await(changed)
      }
    },
  )

  /** Corrects the account of a tenant once it is known; others make room when it is more than there is. */
  correct(tenant: Tenant, bytes: number): void {
    if (!this.#tenants.has(tenant)) return
    this.#account(tenant, bytes)
    this.#makeRoom(0, tenant)
    this.#announce()
  }

  /** The tenant's memory is free. */
  left(tenant: Tenant): void {
    this.#used -= this.#tenants.get(tenant) ?? 0
    this.#tenants.delete(tenant)
    this.#leaving.delete(tenant)
    this.#announce()
  }

  #account(tenant: Tenant, bytes: number): void {
    this.#used += bytes - (this.#tenants.get(tenant) ?? 0)
    this.#tenants.set(tenant, bytes)
  }

  /** Tells as many to leave as it takes, once those that are leaving have left. */
  #makeRoom(bytes: number, keeping?: Tenant): void {
    let used = this.#used
    for (const tenant of this.#leaving) used -= this.#tenants.get(tenant) ?? 0
    const oldestFirst = [...this.#tenants.keys()]
      .filter((tenant) => tenant !== keeping && tenant.canLeave && !this.#leaving.has(tenant))
      .sort((a, b) => a.lastUsed - b.lastUsed)
    for (const tenant of oldestFirst) {
      if (used + bytes <= this.limit) return
      used -= this.#tenants.get(tenant) ?? 0
      this.#leaving.add(tenant)
      tenant.leave()
    }
  }

  #announce(): void {
    const changed = this.#changed
    this.#changed = Deferred.makeUnsafe()
    Deferred.doneUnsafe(changed, Exit.void)
  }
}
