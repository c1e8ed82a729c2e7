import { describe, expect, it } from "@effect/vitest"
import {
  DataFolderInUse,
  EmbeddedPostgresError,
  StartFailed,
} from "../../src/embedded/EmbeddedPostgresError.ts"

describe("EmbeddedPostgresError", () => {
  it("has the message of its reason", () => {
    const reason = new StartFailed({ dataDirectory: "/data", detail: "it ended with status 1", log: "" })
    expect(new EmbeddedPostgresError({ reason }).message).toBe(
      "PostgreSQL did not start in /data: it ended with status 1. It logged nothing.",
    )
  })

  it.each([
    ["this process", "already open by this process: stop it"],
    ["another ModelForge process", "already open by another ModelForge process (pid 7): stop it"],
    ["a PostgreSQL server", "already open by a PostgreSQL server (pid 7): stop it"],
  ] as const)("tells who has the folder open: %s", (owner, words) => {
    const { message } = new DataFolderInUse({ dataDirectory: "/data", pid: 7, owner })
    expect(message).toContain(words)
    expect(message).toContain("connect to it with --url, or set DATABASE_URL")
  })
})
