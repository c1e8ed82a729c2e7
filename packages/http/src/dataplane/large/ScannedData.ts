import type { Tensor } from "@modelforge/core"

/** Stands in a body where its bytes had the elements of this tensor. No client can make one. */
export class ScannedData {
  readonly tensor: Tensor

  constructor(tensor: Tensor) {
    this.tensor = tensor
  }
}
