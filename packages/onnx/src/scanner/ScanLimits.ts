/** How much of a file's structure is accepted. The scan's memory is bounded by these, whatever the file's size. */
export interface ScanLimits {
  /** Nodes of all graphs. Default 500 000. */
  readonly nodes: number
  /** Different operators. Default 10 000. */
  readonly operators: number
  /** Messages inside messages; the default of 100 is what protobuf itself accepts. */
  readonly depth: number
  /** Bytes of one name. Default 4096. */
  readonly nameBytes: number
  /** Bytes of all names that must be remembered: inputs, outputs, initializers, functions. Default 32 MiB. */
  readonly namesTotalBytes: number
  /** Inputs and outputs, initializers that repeat as inputs included. Default 100 000. */
  readonly values: number
  /** Dimensions of one tensor. Default 64. */
  readonly rank: number
  /** Keys and values of the metadata together, in bytes. Default 1 MiB. */
  readonly metadataBytes: number
  /** Entries of the metadata, of the operator sets and of the functions, each. Default 10 000. */
  readonly entries: number
  /** Bytes of the description that are kept; what is beyond is cut off, not refused. Default 16 384. */
  readonly docBytes: number
  /** Attributes of one node. Default 1000. */
  readonly attributes: number
  /** Nodes of all graphs that are drawn for viewers; a larger model is served like any other. Default 20 000. */
  readonly graphNodes: number
  /** Bytes of memory that what is to be drawn may take during the scan. Default 24 MiB. */
  readonly graphScanBytes: number
  /** Bytes of the graph for viewers, as JSON. Default 4 MiB. */
  readonly graphBytes: number
  /** Protobuf fields in all. Default 100 million; bounds the time that a file of tiny fields can take. */
  readonly fields: number
}

export const defaultScanLimits: ScanLimits = {
  nodes: 500_000,
  operators: 10_000,
  depth: 100,
  nameBytes: 4096,
  namesTotalBytes: 32 * 1024 * 1024,
  values: 100_000,
  rank: 64,
  metadataBytes: 1024 * 1024,
  entries: 10_000,
  docBytes: 16_384,
  attributes: 1000,
  graphNodes: 20_000,
  graphScanBytes: 24 * 1024 * 1024,
  graphBytes: 4 * 1024 * 1024,
  fields: 100_000_000,
}
