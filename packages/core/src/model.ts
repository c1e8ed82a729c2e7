/** Pure schemas of the domain. Imports `effect` only, so it is safe in a browser. */
export * from "./model/Datatype.ts"
export * from "./model/InputIssue.ts"
export * from "./model/Model.ts"
export * from "./model/Names.ts"
export * from "./model/Signature.ts"
export * from "./model/Tensor.ts"
export * from "./model/Version.ts"
