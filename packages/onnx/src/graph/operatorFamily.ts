/** What kind of work each operator does, for a viewer's colours. */
import type { OperatorFamily } from "@modelforge/core"

const families: ReadonlyArray<readonly [OperatorFamily, string]> = [
  ["convolution", "Conv ConvTranspose ConvInteger QLinearConv DeformConv FusedConv NhwcConv CausalConv"],
  [
    "linear",
    "Gemm MatMul MatMulInteger QLinearMatMul Einsum FusedMatMul FusedGemm MatMulNBits QGemm DynamicQuantizeMatMul " +
      "MatMulIntegerToFloat LinearClassifier LinearRegressor SVMClassifier SVMRegressor",
  ],
  [
    "activation",
    "Relu LeakyRelu PRelu Elu Selu Celu Sigmoid HardSigmoid HardSwish Swish Tanh Softplus Softsign Softmax LogSoftmax " +
      "Hardmax Gelu FastGelu BiasGelu QuickGelu Mish ThresholdedRelu Clip Shrink BiasSoftmax",
  ],
  [
    "normalization",
    "BatchNormalization InstanceNormalization LayerNormalization GroupNormalization RMSNormalization " +
      "SimplifiedLayerNormalization SkipLayerNormalization SkipSimplifiedLayerNormalization " +
      "EmbedLayerNormalization LpNormalization MeanVarianceNormalization LRN GroupNorm SkipGroupNorm Normalizer Scaler",
  ],
  [
    "pooling",
    "MaxPool AveragePool LpPool GlobalMaxPool GlobalAveragePool GlobalLpPool MaxRoiPool RoiAlign MaxUnpool",
  ],
  [
    "shape",
    "Reshape Flatten Squeeze Unsqueeze Transpose Concat Split Slice Gather GatherElements GatherND Scatter " +
      "ScatterElements ScatterND Expand Tile Pad Shape Size Identity Constant ConstantOfShape Range DepthToSpace " +
      "SpaceToDepth Resize Upsample Compress NonZero OneHot EyeLike ReverseSequence GridSample AffineGrid Trilu " +
      "CenterCropPad Col2Im Cast CastLike Bitcast TensorScatter Dropout FeatureVectorizer ArrayFeatureExtractor",
  ],
  [
    "elementwise",
    "Add Sub Mul Div Mod Pow Sqrt Exp Log Abs Neg Sign Ceil Floor Round Reciprocal Erf Sin Cos Tan Asin Acos Atan " +
      "Sinh Cosh Asinh Acosh Atanh Min Max Sum Mean And Or Xor Not Equal Less LessOrEqual Greater GreaterOrEqual " +
      "Where IsNaN IsInf BitShift BitwiseAnd BitwiseOr BitwiseXor BitwiseNot Binarizer",
  ],
  [
    "reduction",
    "ReduceSum ReduceMean ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp " +
      "ReduceSumSquare ArgMax ArgMin TopK CumSum CumProd Unique",
  ],
  ["quantization", "QuantizeLinear DequantizeLinear DynamicQuantizeLinear"],
  ["control-flow", "If Loop Scan SequenceMap"],
  ["recurrent", "RNN LSTM GRU DynamicQuantizeLSTM"],
  [
    "attention",
    "Attention MultiHeadAttention GroupQueryAttention QAttention PackedAttention PackedMultiHeadAttention " +
      "DecoderMaskedMultiHeadAttention DecoderMaskedSelfAttention SparseAttention LongformerAttention " +
      "RelativePositionBias RotaryEmbedding LinearAttention PagedAttention",
  ],
]

const byOperator = new Map(
  families.flatMap(([family, operators]) =>
    operators.split(" ").map((operator): [string, OperatorFamily] => [operator, family]),
  ),
)

/** By the operator's name, whatever its domain: fused and quantized variants keep the name in theirs. */
export const operatorFamily = (operator: string): OperatorFamily => byOperator.get(operator) ?? "other"
