export * as OnnxScanner from "./scanner/OnnxScanner.ts"
export type { RefusalCode } from "./scanner/Refusal.ts"
export { defaultScanLimits, type ScanLimits } from "./scanner/ScanLimits.ts"
