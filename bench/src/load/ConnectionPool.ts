/** The connections of one job: those that wait for nothing are used again, those that the server closed are replaced. */
import { Connection } from "./Connection.ts"

export class ConnectionPool {
  readonly #port: number
  readonly #limit: number
  readonly #all = new Set<Connection>()
  readonly #idle: Array<Connection> = []
  #opening = 0

  /** At most `limit` at once. */
  constructor(port: number, limit: number) {
    this.#port = port
    this.#limit = limit
  }

  /** Opens so many before anything is measured. */
  async fill(count: number): Promise<void> {
    const opened = await Promise.all(Array.from({ length: count }, () => this.#open()))
    this.#idle.push(...opened)
  }

  /** A connection to send one request on, to be given back; undefined when all that may be there are taken. */
  take(): Connection | Promise<Connection> | undefined {
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      if (idle.isOpen) return idle
      this.#all.delete(idle)
    }
    return this.#all.size + this.#opening < this.#limit ? this.#open() : undefined
  }

  give(connection: Connection): void {
    if (connection.isOpen) this.#idle.push(connection)
    else {
      connection.close()
      this.#all.delete(connection)
    }
  }

  async #open(): Promise<Connection> {
    this.#opening++
    try {
      const connection = await Connection.open(this.#port)
      this.#all.add(connection)
      return connection
    } finally {
      this.#opening--
    }
  }

  /** Ends requests that are never answered. */
  cutOff(): void {
    for (const connection of this.#all) connection.cutOff()
  }

  close(): void {
    for (const connection of this.#all) connection.close()
  }
}
