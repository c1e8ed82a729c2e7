/** Tensors from the bytes of JSON. Imports nothing of Effect, so that a thread which does only this starts at once. */
export { elementCount, isSize } from "./model/Tensor.ts"
export { skipSpace, skipString, skipValue } from "./tensors/jsonBytes.ts"
export { isDatatype, scanTensor } from "./tensors/scanTensor.ts"
export { outOfSlab } from "./tensors/smallArrays.ts"
