/** The interactive docs in a real browser that reaches nothing but the server. */
import { execFileSync } from "node:child_process"
import { existsSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type Browser, chromium, type Page } from "playwright-core"
import { sharedServer } from "./command.ts"

const server = sharedServer({ args: ["--examples"] })

const executablePath = "/usr/bin/chromium"

/** Where it is not installed it is, as root on Debian; else the tests fail. */
const install = () => {
  if (existsSync(executablePath)) return
  const apt = (...words: ReadonlyArray<string>) =>
    execFileSync("apt-get", words, {
      stdio: "ignore",
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    })
  try {
    apt("update", "-q")
    apt("install", "-y", "-q", "--no-install-recommends", "chromium")
  } catch {
    // Said below, with what to do.
  }
  if (!existsSync(executablePath)) throw new Error("these tests need Chromium: apt-get install chromium")
}

const opened = Effect.acquireRelease(
  Effect.promise((): Promise<Browser> => {
    install()
    return chromium.launch({
      executablePath,
      // Its sandbox can't be had as root. No name is looked up, so no other host is reached, whatever a page tries.
      args: ["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
    })
  }),
  (browser) => Effect.promise(() => browser.close()),
)

/** The docs, with what the page asked for elsewhere and what it complained of. */
const openDocs = Effect.gen(function* () {
  const { url } = yield* server
  const browser = yield* opened
  const page = yield* Effect.promise(() => browser.newPage())
  const foreign: Array<string> = []
  const complaints: Array<string> = []
  const sent: Array<Record<string, string>> = []
  page.on("request", (request) => {
    const target = request.url()
    if (!target.startsWith(url) && !target.startsWith("data:")) foreign.push(target)
    if (target.startsWith(`${url}/v`)) sent.push(request.headers())
  })
  page.on("pageerror", ({ message }) => complaints.push(message))
  page.on("console", (message) => {
    // Browsers ask for an icon by themselves.
    const isIcon = message.location().url.endsWith("/favicon.ico")
    if (message.type() === "error" && !isIcon) complaints.push(message.text())
  })
  yield* Effect.promise(() => page.goto(`${url}/docs`))
  return { page, foreign, complaints, sent }
})

const inPage = <A>(page: Page, work: (page: Page) => Promise<A>) => Effect.promise(() => work(page))

/** Opens an operation and sends its example. Gives the status that the page shows. */
const tryOut = async (page: Page, tag: string, name: string) => {
  const operation = page.locator(`[id^="operations-${tag}-"][id$=".${name}"]`)
  await operation.locator(".opblock-summary-control").click()
  await operation.getByRole("button", { name: "Try it out" }).click()
  await operation.getByRole("button", { name: "Execute" }).click()
  const answer = operation.locator(".live-responses-table .response").first()
  await answer.waitFor()
  return {
    status: /\d{3}/.exec((await answer.locator(".response-col_status").textContent()) ?? "")?.[0],
    body: (await answer.textContent()) ?? "",
  }
}

describe("the docs in a browser without any network but the server", () => {
  it.live("show every operation, and ask nobody else for anything", () =>
    Effect.gen(function* () {
      const { page, foreign, complaints } = yield* openDocs
      yield* inPage(page, (docs) => docs.locator(".opblock").first().waitFor())
      const shown = yield* inPage(page, (docs) => docs.locator(".opblock").count())
      assert.isAbove(shown, 40)
      assert.deepStrictEqual([foreign, complaints], [[], []])
    }).pipe(Effect.scoped),
  )

  it.live("carry examples out, with a key when one is given", () =>
    Effect.gen(function* () {
      const { page, foreign, complaints, sent } = yield* openDocs
      const first = yield* inPage(page, (docs) => tryOut(docs, "Predict", "predict"))
      assert.strictEqual(first.status, "200", first.body)
      assert.include(first.body, "probabilities")
      assert.isUndefined(sent.at(-1)?.["authorization"])

      yield* inPage(page, async (docs) => {
        await docs.locator(".auth-wrapper .authorize").first().click()
        const dialog = docs.locator(".dialog-ux")
        await dialog.locator("input[type=text], input[type=password]").first().fill("mf_abc_def")
        await dialog.getByRole("button", { name: "Apply credentials" }).first().click()
        await dialog.locator(".close-modal").click()
      })
      const second = yield* inPage(page, (docs) => tryOut(docs, "Models", "get"))
      assert.match(second.status ?? "", /^(?:200|401)$/, second.body)
      assert.strictEqual(sent.at(-1)?.["authorization"], "Bearer mf_abc_def")
      assert.deepStrictEqual([foreign, complaints], [[], []])
    }).pipe(Effect.scoped),
  )
})
