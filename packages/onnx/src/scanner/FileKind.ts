/** Recognises what people upload by mistake, by its first bytes. */
import { refuse } from "./Refusal.ts"

/** As many first bytes as recognition looks at. */
export const sniffLength = 128

const signatures: ReadonlyArray<readonly [offset: number, bytes: string, what: string]> = [
  [0, "\x89PNG\r\n", "a PNG image"],
  [0, "\xff\xd8\xff", "a JPEG image"],
  [0, "GIF8", "a GIF image"],
  [0, "%PDF-", "a PDF document"],
  [
    0,
    "PK\x03\x04",
    "a ZIP archive (PyTorch's .pt and .pth files, Keras' .keras files and NumPy's .npz files are such archives)",
  ],
  [0, "PK\x05\x06", "an empty ZIP archive"],
  [0, "\x1f\x8b", "a gzip archive"],
  [0, "BZh", "a bzip2 archive"],
  [0, "\xfd7zXZ\0", "an xz archive"],
  [0, "7z\xbc\xaf", "a 7-Zip archive"],
  [0, "\x28\xb5\x2f\xfd", "a Zstandard archive"],
  [0, "\x89HDF\r\n", "an HDF5 file (Keras' .h5 files are such files)"],
  [0, "\x93NUMPY", "a NumPy array"],
  [0, "GGUF", "a GGUF model"],
  [4, "TFL3", "a TensorFlow Lite model"],
  [4, "ORTM", "a model in ONNX Runtime's own .ort format"],
  [0, "\x7fELF", "a Linux program or library"],
  [0, "MZ\x90\0", "a Windows program or library"],
  [0, "CBM1", "a CatBoost model"],
]

const texts: ReadonlyArray<readonly [pattern: RegExp, what: string]> = [
  [/^<(!doctype\s+html|html)/i, "an HTML page (perhaps the error page of a download)"],
  [/^<\?xml/i, "an XML document (PMML and OpenVINO models are such documents)"],
  [/^<\s*ir_version\s*:/, "a model in ONNX's text format; save it in the binary format"],
  [/^ir_version\s*:/, "a model in protobuf's text format; save it in the binary format"],
  [/^[[{]\s*(["[{\]}\d-]|true|false|null|$)/, "a JSON document"],
]

/** Refuses a file whose first bytes are those of a well-known other kind. */
export const refuseOtherKinds = (head: Uint8Array): void => {
  const latin1 = Buffer.from(head).toString("latin1")
  if (latin1.startsWith("version https://git-lfs.github.com/spec/")) {
    refuse(
      "lfs-pointer",
      "this is a pointer of Git LFS, not the model it stands for. Run `git lfs pull` and upload the file again.",
    )
  }
  const what =
    signatures.find(([offset, bytes]) => latin1.startsWith(bytes, offset))?.[2] ??
    (isPickle(head) ? "a Python pickle (older PyTorch files and joblib dumps are such files)" : undefined) ??
    (isSafetensors(head) ? "a safetensors file" : undefined) ??
    texts.find(([pattern]) => pattern.test(latin1.replace(/^(\xef\xbb\xbf)?\s*/, "")))?.[1]
  if (what !== undefined) {
    refuse(
      "not-onnx",
      `this is ${what}, not an ONNX model. Export the model to ONNX and upload the .onnx file.`,
    )
  }
  if (isSavedModel(head)) {
    refuse(
      "not-onnx",
      "this looks like a TensorFlow SavedModel, not an ONNX model. Convert it with tf2onnx and upload the .onnx file.",
    )
  }
}

/** PROTO with its number, 2 to 5, then an opcode that pickles begin with. */
const isPickle = (head: Uint8Array): boolean =>
  head[0] === 0x80 &&
  [2, 3, 4, 5].includes(head[1] ?? 0) &&
  "(.[]c}\x8a\x95".includes(String.fromCharCode(head[2] ?? 0))

/** The 64-bit length of a JSON header, then the header. */
const isSafetensors = (head: Uint8Array): boolean =>
  head.subarray(4, 8).every((byte) => byte === 0) && head[8] === 0x7b && head[9] === 0x22

/** Its version, 1, then a field of at least 16 KiB; ONNX has the short name of a producer there. */
const isSavedModel = (head: Uint8Array): boolean =>
  head[0] === 8 && head[1] === 1 && head[2] === 0x12 && (head[3] ?? 0) > 127 && (head[4] ?? 0) > 127
