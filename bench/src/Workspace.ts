/** The folder of one benchmark: model files and data folders. Gone when the benchmark ends. */
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { BenchModel } from "./models/BenchModel.ts"

export class Workspace implements AsyncDisposable {
  readonly #folder: string
  readonly #files = new Map<string, Promise<string>>()

  private constructor(folder: string) {
    this.#folder = folder
  }

  static async make(): Promise<Workspace> {
    return new Workspace(await mkdtemp(join(tmpdir(), "modelforge-bench-")))
  }

  /** The model's file, written once. */
  fileOf(model: BenchModel): Promise<string> {
    const written = this.#files.get(model.name) ?? this.#write(model)
    this.#files.set(model.name, written)
    return written
  }

  async #write(model: BenchModel): Promise<string> {
    const file = join(this.#folder, `${model.name}.onnx`)
    await writeFile(file, model.bytes())
    return file
  }

  /** A new data folder. */
  dataFolder(): Promise<string> {
    return mkdtemp(join(this.#folder, "data-"))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 })
  }
}
