/** The table of refusals in the guide names codes and tests that exist. */
import { readFileSync } from "node:fs"
import { assert, it } from "@effect/vitest"

const read = (path: string) => readFileSync(new URL(path, import.meta.url), "utf8")
const guide = read("../../../../docs/guide/security.md")
const rows = guide
  .slice(guide.indexOf("## What is refused in a model file"), guide.indexOf("## Checklist"))
  .split("\n")
  .filter((line) => line.startsWith("| "))
  .slice(1)
  .map((line) => line.split("|").map((cell) => cell.trim()))

const quoted = (text: string) => [...text.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name)

it("every point of the security guide names a code and tests that are there", () => {
  assert.isAbove(rows.length, 20)
  for (const [, point = "", codes = "", tests = ""] of rows) {
    assert.isNotEmpty(quoted(codes), point)
    for (const part of tests.split(";")) {
      const [, file = "", names = ""] = /^\s*(\w+\.test\.ts): (.*)$/.exec(part) ?? []
      const source = read(`./${file}`)
      assert.isNotEmpty(quoted(names), point)
      for (const name of quoted(names)) {
        assert.isTrue(source.includes(`"${name}`) || source.includes(`\`${name}`), `${file}: ${name}`)
      }
      for (const code of quoted(codes)) assert.isTrue(source.includes(`"${code}"`), `${file}: ${code}`)
    }
  }
})
