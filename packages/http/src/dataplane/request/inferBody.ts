/** From the body of a V2 infer request to what it asks for: JSON, JSON and bytes behind it, or bytes only. */
import type { Signature } from "@modelforge/core"
import { parseBody } from "../json/body.ts"
import { refuseUnclassifiable } from "../response/classification.ts"
import { type BinarySection, noBinary, splitBody } from "./binarySection.ts"
import { type InferRequest, readInfer } from "./inferRequest.ts"
import { readRaw } from "./rawRequest.ts"

/**
 * `jsonLength` is what the head says of it. Tensors given as bytes lie in `body`, which must not change any more. Throws
 * the problem with the request.
 */
export const readInferBody = (
  signature: Signature,
  body: Uint8Array,
  jsonLength: number | undefined,
): InferRequest => {
  if (jsonLength === undefined) return readMembers(signature, body, noBinary)
  // Parts of Node's buffers are such buffers too; tensors are plain arrays.
  const bytes = new Uint8Array(body.buffer, body.byteOffset, body.length)
  if (jsonLength === 0) return readRaw(signature, bytes)
  const { json, binary } = splitBody(bytes, jsonLength)
  return readMembers(signature, json, binary)
}

const readMembers = (signature: Signature, json: Uint8Array, binary: BinarySection): InferRequest =>
  readInferValue(signature, parseBody(json, true).exactFor(signature), binary)

/** Likewise, of a body that was parsed. */
export const readInferValue = (
  signature: Signature,
  exactBody: unknown,
  binary: BinarySection,
): InferRequest => {
  const request = readInfer(exactBody, binary)
  refuseUnclassifiable(signature, request.forms)
  return request
}
