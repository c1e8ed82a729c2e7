/** An artifact store in a temporary folder, a registry in memory, and a collector on both. */
import { NodeServices } from "@effect/platform-node"
import { Context, Effect, FileSystem, Layer, Stream } from "effect"
import { ArtifactStore } from "../../src/artifacts/ArtifactStore.ts"
import { Collector } from "../../src/artifacts/Collector.ts"
import { layerArtifactStoreLocal } from "../../src/artifacts/LocalArtifactStore.ts"
import { ForgeConfig } from "../../src/ForgeConfig.ts"
import { ModelName } from "../../src/model/Names.ts"
import { layerRegistryStoreMemory } from "../../src/registry/MemoryRegistryStore.ts"
import { RegistryStore, type VersionDraft } from "../../src/registry/RegistryStore.ts"
import { bytesOf, digestOf, signature, summary } from "../fakes.ts"

export const model = ModelName.make("digits")

export const draftOf = (content: string): VersionDraft => ({
  model,
  digest: digestOf(content),
  size: content.length,
  state: "ready",
  signature,
  summary,
  graph: "{}",
  description: "",
  createdBy: null,
  createModel: true,
  alias: null,
  force: false,
})

export interface Stores {
  readonly artifacts: ArtifactStore["Service"]
  readonly registry: RegistryStore["Service"]
}

/** Commits an artifact as an upload does, without a row that refers to it. */
export const commit = ({ artifacts }: Stores, content: string) =>
  artifacts.stage(Stream.make(bytesOf(content)), content.length).pipe(
    Effect.flatMap((staged) => staged.commit),
    Effect.scoped,
  )

export const refer = ({ registry }: Stores, content: string) => registry.insertVersion(draftOf(content))

export const makeStores = Effect.gen(function* () {
  const directory = yield* FileSystem.FileSystem.use((fs) =>
    fs.makeTempDirectoryScoped({ prefix: "modelforge-test-" }),
  )
  const context = yield* Layer.build(
    Layer.fresh(Layer.merge(layerArtifactStoreLocal(directory), layerRegistryStoreMemory)),
  )
  return {
    artifacts: Context.get(context, ArtifactStore),
    registry: Context.get(context, RegistryStore),
  } satisfies Stores
}).pipe(Effect.provide(NodeServices.layer))

/** A collector that makes a pass when it is told to, unless it is given the layer that does so by itself. */
export const startCollector = (
  { artifacts, registry }: Stores,
  layer: typeof Collector.layer = Layer.effect(Collector, Collector.make),
) =>
  Effect.map(
    Layer.build(
      Layer.fresh(layer).pipe(
        Layer.provide([
          Layer.succeed(ArtifactStore, artifacts),
          Layer.succeed(RegistryStore, registry),
          ForgeConfig.layer(),
        ]),
      ),
    ),
    (context) => Context.get(context, Collector),
  )

/** Which of the contents are stored. */
export const stored = ({ artifacts }: Stores, contents: ReadonlyArray<string>) =>
  Effect.map(Stream.runCollect(artifacts.list), (listed) =>
    contents.filter((content) => listed.some(({ digest }) => digest === digestOf(content))),
  )
