/** Tensors that a request may have, and outputs that it may ask for. No model has as many. */
export const maxTensors = 1024
