import { assert, it } from "@effect/vitest"
import { columns } from "../../src/command/output.ts"

it("makes columns as wide as they have to be, and leaves no space behind the last", () => {
  assert.strictEqual(
    columns(
      ["ID", "NAME"],
      [
        ["1", "a longer name"],
        ["22222", ""],
      ],
    ),
    "ID     NAME\n1      a longer name\n22222",
  )
})
