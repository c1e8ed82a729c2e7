import { assert, it } from "@effect/vitest"
import { requestId } from "../../src/dataplane/request/requestHead.ts"
import { parseTraceParent } from "../../src/protection/traceparent.ts"

const [trace, span] = ["4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"]

it("a traceparent names a trace and a span; later versions may say more", () => {
  for (const header of [
    `00-${trace}-${span}-01`,
    `cc-${trace}-${span}-00`,
    `cc-${trace}-${span}-01-what-comes-later`,
  ])
    assert.deepStrictEqual(parseTraceParent(header), { traceId: trace, spanId: span }, header)
})

it("what is none is passed over", () => {
  for (const header of [
    undefined,
    "",
    trace,
    `00-${trace}-${span}`,
    `00-${trace}-${span}-01-more`,
    `ff-${trace}-${span}-01`,
    `00-${trace.toUpperCase()}-${span}-01`,
    `00-${"0".repeat(32)}-${span}-01`,
    `00-${trace}-${"0".repeat(16)}-01`,
    `00-${trace}-${span}-1`,
    ` 00-${trace}-${span}-01`,
    `cc-${trace}-${span}-01-${"x".repeat(300)}`,
  ])
    assert.isUndefined(parseTraceParent(header), header)
})

it("a request's id is what was sent, where it can stand in a header; else its trace and span; else a new one", () => {
  const traceparent = `00-${trace}-${span}-01`
  assert.strictEqual(requestId({ "x-request-id": "abc", traceparent }), "abc")
  assert.strictEqual(requestId({ "x-request-id": "x".repeat(128) }), "x".repeat(128))
  assert.strictEqual(requestId({ traceparent }), `${trace}-${span}`)
  for (const sent of ["", "with space", "x".repeat(129), "line\nbreak", "naïve", "\u0000"]) {
    assert.strictEqual(requestId({ "x-request-id": sent, traceparent }), `${trace}-${span}`, sent)
    assert.match(requestId({ "x-request-id": sent, traceparent: "nonsense" }), /^[0-9a-f-]{36}$/)
  }
  assert.notStrictEqual(requestId({}), requestId({}))
})
