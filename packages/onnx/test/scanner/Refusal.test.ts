/** Files that are not ONNX, not whole, or damaged. */
import { exampleBytes } from "../exampleModels.ts"
import * as onnx from "../onnxFile.ts"
import { type Case, refused, suite } from "./refusing.ts"

const { elementType: type } = onnx
const identity = onnx.node("Identity", ["x"], ["y"])
const inputOf = (typeProto: Uint8Array) =>
  onnx.oneNode(identity, { inputs: [onnx.concat(onnx.bytes(1, "x"), onnx.message(2, typeProto))] })
const valid = onnx.identity(type.FP32)
const cases: ReadonlyArray<Case> = [
  refused("nothing", "", "empty", /the file is empty/),
  ...(
    [
      ["a PNG image", "\x89PNG\r\n\x1a\n\0\0\0\rIHDR"],
      ["a JPEG image", "\xff\xd8\xff\xe0\0\x10JFIF"],
      ["a GIF image", "GIF89a..."],
      ["a ZIP archive", "PK\x03\x04\x14\0"],
      ["PyTorch", "PK\x03\x04\x14\0"],
      ["a gzip archive", "\x1f\x8b\x08\0\0"],
      ["a PDF document", "%PDF-1.7\n"],
      ["an HTML page", "\n  <!DOCTYPE html>\n<html>"],
      ["an HTML page", "<html lang=en>"],
      ["an XML document", "\xef\xbb\xbf<?xml version='1.0'?>"],
      ["a JSON document", '{\n  "model": 1 }'],
      ["a JSON document", "[[1.5, 2]]"],
      ["a JSON document", "{}"],
      ["a Python pickle", "\x80\x04\x95\x10\0\0\0"],
      ["a Python pickle", "\x80\x02}q\0("],
      ["a safetensors file", '\x40\0\0\0\0\0\0\0{"w":{"dtype":"F32"}}'],
      ["an HDF5 file", "\x89HDF\r\n\x1a\n"],
      ["a TensorFlow Lite model", "\x1c\0\0\0TFL3"],
      ["\\.ort format", "\x1c\0\0\0ORTM"],
      ["TensorFlow SavedModel", "\x08\x01\x12\xe1\xa5\x04\x0a\x03"],
      ["ONNX's text format", '<\n  ir_version: 7,\n  opset_import: ["" : 10]\n>\nagraph (float[N] x)'],
      ["protobuf's text format", 'ir_version: 8\nproducer_name: "x"'],
    ] as const
  ).map(([what, head]) =>
    refused(`${what} (${JSON.stringify(head.slice(0, 6))})`, head, "not-onnx", new RegExp(`this .*${what}`)),
  ),
  refused("an image larger than the sniffed head", `\x89PNG\r\n\x1a\n${"x".repeat(5000)}`, "not-onnx", /PNG/),
  refused("prose", "Hello, this is the model you asked for.", "not-onnx", /not an ONNX model/),
  refused("zeros", new Uint8Array(1000), "not-onnx", /not an ONNX model/),
  refused(
    "a Git LFS pointer",
    "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935\nsize 12345\n",
    "lfs-pointer",
    /git lfs pull/,
  ),
  refused("a protobuf file without graph and version", onnx.bytes(90, "x"), "not-onnx", /holds no graph/),
  refused("a version that does not exist", onnx.int(1, 0), "not-onnx", /version 0/),
  refused("a model without graph", onnx.concat(onnx.int(1, 8), onnx.opset("", 17)), "no-graph", /no graph/),
  refused("a model without version", valid.subarray(2), "malformed", /which version of ONNX/),
  refused(
    "a model without operator sets",
    onnx.oneNode(identity, { opsets: {} }),
    "malformed",
    /operator sets/,
  ),
  refused("a model without outputs", onnx.oneNode(identity, { outputs: [] }), "no-outputs", /no outputs/),
  refused("two graphs", onnx.concat(valid, onnx.bytes(7, onnx.graph({}))), "malformed", /two graphs/),

  refused("a file that ends early", exampleBytes("digits").subarray(0, 100_000), "truncated", [
    /ends after 100000 bytes/,
    /at least \d+ bytes are missing/,
    /initializer of the graph/,
  ]),
  refused("a file that ends in a tag", onnx.concat(valid, Uint8Array.of(0x80)), "truncated", /ends after/),
  refused(
    "a file that ends in a text",
    exampleBytes("digits").subarray(0, exampleBytes("digits").length - 5),
    "truncated",
    /in the middle of/,
  ),
  refused("wire type 3", onnx.concat(valid, Uint8Array.of(0x4b)), "malformed", /wire type 3/),
  refused("wire type 7", onnx.concat(valid, Uint8Array.of(0x4f)), "malformed", /wire type 7/),
  refused("field number 0", onnx.concat(valid, Uint8Array.of(0x02, 0x00)), "malformed", /field number 0/),
  refused(
    "a number of 11 bytes",
    onnx.concat(valid, Uint8Array.of(0x48), new Uint8Array(10).fill(0xff), Uint8Array.of(1)),
    "malformed",
    /longer than 10 bytes/,
  ),
  refused(
    "a negative length",
    onnx.concat(valid, Uint8Array.of(0x4a), onnx.varint(-1)),
    "malformed",
    /impossible length/,
  ),
  refused(
    "a length beyond 2 GiB",
    onnx.concat(valid, Uint8Array.of(0x4a), onnx.varint(2 ** 31)),
    "malformed",
    /impossible length/,
  ),
  refused(
    "a field longer than its message",
    onnx.concat(valid, onnx.message(8, Uint8Array.of(0x0a, 9, 0x61))),
    "malformed",
    /longer than the message/,
  ),
  refused(
    "a skipped field longer than its message",
    onnx.concat(valid, onnx.message(8, Uint8Array.of(0x7a, 9, 0x61))),
    "malformed",
    /longer than the message/,
  ),
  refused(
    "a number beyond its message",
    onnx.concat(valid, onnx.message(8, Uint8Array.of(0x10, 0x80)), onnx.int(93, 1)),
    "malformed",
    /past the end/,
  ),
  refused(
    "a graph that is a number",
    onnx.concat(onnx.int(1, 8), onnx.bytes(7, onnx.graph({ rest: [onnx.int(5, 1)] }))),
    "malformed",
    /not of the type/,
  ),
  refused("a version that is a text", onnx.concat(valid, onnx.bytes(1, "x")), "malformed", /not of the type/),
  refused("an integer as fixed32", onnx.concat(valid, onnx.fixed32(1, 1)), "malformed", /not of the type/),
  refused(
    "an integer as fixed64",
    onnx.concat(valid, Uint8Array.of(0x09), new Uint8Array(8)),
    "malformed",
    /not of the type/,
  ),
  refused(
    "a name that is not UTF-8",
    onnx.oneNode(identity, { outputs: [onnx.concat(onnx.bytes(1, Uint8Array.of(0xc3, 0x28)))] }),
    "malformed",
    /UTF-8/,
  ),
  refused(
    "a name with NUL",
    onnx.oneNode(identity, { outputs: [onnx.value("a\0b", type.FP32, [])] }),
    "malformed",
    /NUL/,
  ),
  refused("a node without operator", onnx.oneNode(onnx.bytes(3, "n")), "malformed", /names no operator/),
  refused(
    "an impossible operator set",
    onnx.oneNode(identity, { model: [onnx.opset("x", -4)] }),
    "malformed",
    /impossible version/,
  ),
  refused(
    "a type that is declared twice",
    onnx.oneNode(identity, {
      inputs: [onnx.concat(onnx.value("x", type.FP32, []), onnx.message(2, onnx.message(1, onnx.int(1, 1))))],
    }),
    "malformed",
    /type twice/,
  ),
  refused(
    "a shape that is declared twice",
    inputOf(onnx.message(1, onnx.int(1, 1), onnx.message(2), onnx.message(2))),
    "malformed",
    /shape twice/,
  ),
]

suite("refusals of files", cases)
