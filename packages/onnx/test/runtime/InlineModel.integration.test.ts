import { OnnxRuntime } from "@modelforge/onnx"
import { suite } from "./runtimeSuite.ts"

suite("OnnxRuntime.layerInline", OnnxRuntime.layerInline)
