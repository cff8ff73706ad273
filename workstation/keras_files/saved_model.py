"""Which operators a SavedModel may hold: those that classifiers need. Others are refused before it is loaded.

TensorFlow's graphs are programs: an operator may read and write files, call Python or the network, and loading alone
runs the initializers. So this is a list of what is allowed: an operator that it forgets does no harm. Operators that
save and restore are allowed where the graph's own saver calls them; nothing here calls it.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from edgecnn.errors import EdgecnnError
from edgecnn.files import read_file

_PB = "saved_model.pb"
_LAYERS = """
AvgPool AvgPool3D BatchMatMul BatchMatMulV2 BatchMatMulV3 BatchNormWithGlobalNormalization BatchToSpaceND BiasAdd
BiasAddV1 Conv Conv2D Conv2DBackpropFilter Conv2DBackpropInput Conv3D Conv3DBackpropInputV2 CudnnRNN CudnnRNNBackprop
CudnnRNNBackpropV2 CudnnRNNBackpropV3 CudnnRNNV2 CudnnRNNV3 DepthToSpace DepthwiseConv2dNative
DepthwiseConv2dNativeBackpropFilter DepthwiseConv2dNativeBackpropInput Dilation2D Einsum Elu FusedBatchNorm
FusedBatchNormV2 FusedBatchNormV3 L2Loss LeakyRelu LogSoftmax LRN MatMul MaxPool MaxPool3D MaxPoolV2
MaxPoolWithArgmax Relu Relu6 Selu Sigmoid Softmax Softplus Softsign SpaceToBatchND SpaceToDepth Tanh
FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars FakeQuantWithMinMaxVarsPerChannel QuantizeAndDequantizeV2
QuantizeAndDequantizeV3 QuantizeAndDequantizeV4
AvgPoolGrad BiasAddGrad EluGrad FusedBatchNormGradV3 LeakyReluGrad MaxPoolGrad MaxPoolGradV2 Relu6Grad ReluGrad
ReciprocalGrad ResizeBilinearGrad ResizeNearestNeighborGrad RsqrtGrad SeluGrad SigmoidGrad SoftplusGrad SoftsignGrad
SqrtGrad StridedSliceGrad TanhGrad
"""
_NUMBERS = """
Abs Acos Acosh Add AddN AddV2 All Any ArgMax ArgMin Asin Asinh Atan Atan2 Atanh Bitcast BitwiseAnd BitwiseOr
BitwiseXor Bucketize Cast Ceil CheckNumerics CheckNumericsV2 ClipByValue Complex ComplexAbs Conj Cos Cosh Cross
Cumprod Cumsum CumulativeLogsumexp DenseBincount Digamma Div DivNoNan Equal Erf Erfc Erfinv Exp Expm1 Floor FloorDiv
FloorMod FFT2D IFFT2D Imag Real RFFT2D IRFFT2D Greater GreaterEqual InTopKV2 Inv InvertPermutation IsFinite IsInf IsNan
LeftShift Less LessEqual Lgamma LinSpace Log Log1p LogicalAnd LogicalNot LogicalOr LogicalXor Max Maximum Mean Min
Minimum Mod Mul MulNoNan Neg NextAfter NotEqual OnesLike Pow Prod Range Rank RealDiv Reciprocal RightShift Rint Round
Rsqrt SegmentMax SegmentMean SegmentMin SegmentProd SegmentSum Select SelectV2 Sign Sin Sinh Sqrt Square
SquaredDifference StopGradient Sub Sum Tan TopK TopKV2 TruncateDiv TruncateMod UnsortedSegmentMax
UnsortedSegmentMin UnsortedSegmentProd UnsortedSegmentSum Xdivy Xlog1py Xlogy ZerosLike
"""
_SHAPES = """
BroadcastArgs BroadcastGradientArgs BroadcastTo Concat ConcatOffset ConcatV2 Const Diag DiagPart EnsureShape
ExpandDims Fill Gather GatherNd GatherV2 Identity IdentityN MatrixBandPart MatrixDiag MatrixDiagPartV3
MatrixDiagV3 MirrorPad OneHot Pack ParallelConcat Pad PadV2 PlaceholderWithDefault Placeholder PreventGradient Reshape
Reverse ReverseSequence ReverseV2 Roll ScatterNd Shape ShapeN Size Slice Snapshot Split SplitV Squeeze StridedSlice
TensorScatterAdd TensorScatterUpdate Tile Transpose Unique UniqueV2 Unpack Where
"""
_IMAGES = """
AdjustContrastv2 AdjustHue AdjustSaturation CropAndResize ExtractImagePatches HSVToRGB ImageProjectiveTransformV2
ImageProjectiveTransformV3 RGBToHSV ResizeArea ResizeBicubic ResizeBilinear ResizeNearestNeighbor ScaleAndTranslate
"""
_RANDOM = """
Multinomial RandomShuffle RandomStandardNormal RandomUniform RandomUniformInt RngReadAndSkip RngSkip
StatefulStandardNormalV2 StatefulTruncatedNormal StatefulUniform StatefulUniformFullInt StatefulUniformInt
StatelessMultinomial StatelessRandomGetAlg StatelessRandomGetKeyCounter StatelessRandomGetKeyCounterAlg
StatelessRandomNormal StatelessRandomNormalV2 StatelessRandomUniform StatelessRandomUniformFullInt
StatelessRandomUniformFullIntV2 StatelessRandomUniformInt StatelessRandomUniformIntV2 StatelessRandomUniformV2
StatelessShuffle StatelessTruncatedNormal StatelessTruncatedNormalV2 TruncatedNormal
"""
_CONTROL = """
Assert Case ControlTrigger Enter Exit If LoopCond Merge NextIteration NoOp PartitionedCall StatefulPartitionedCall
StatelessCase StatelessIf StatelessWhile Switch While EmptyTensorList TensorListElementShape TensorListFromTensor
TensorListGather TensorListGetItem TensorListLength TensorListPopBack TensorListPushBack TensorListReserve
TensorListResize TensorListSetItem TensorListStack TensorArrayCloseV3 TensorArrayGatherV3 TensorArrayReadV3
TensorArrayScatterV3 TensorArraySizeV3 TensorArrayV3 TensorArrayWriteV3 IteratorGetNext
"""
_VARIABLES = """
Assign AssignAddVariableOp AssignSubVariableOp AssignVariableOp DestroyResourceOp DisableCopyOnRead
IsVariableInitialized ReadVariableOp ResourceGather VarHandleOp VarIsInitializedOp Variable VariableShape VariableV2
"""
ALLOWED = frozenset(" ".join((_LAYERS, _NUMBERS, _SHAPES, _IMAGES, _RANDOM, _CONTROL, _VARIABLES)).split())
_NAMING = frozenset({"ShardedFilename", "StaticRegexFullMatch", "StringJoin"})  # name the files of a saver
_SAVING = ALLOWED | _NAMING | {"MergeV2Checkpoints", "SaveV2"}
_RESTORING = ALLOWED | _NAMING | {"RestoreV2"}


def is_saved_model(path: Path) -> bool:
    """Whether `path` is a SavedModel folder, which Keras 3 does not load by itself."""
    return (path / _PB).is_file()


def check_operators(path: Path) -> None:
    """Refuse a SavedModel that holds an operator which no classifier needs.

    Raises:
        EdgecnnError: it does, or it cannot be read.
    """
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    try:
        saved = saved_model_pb2.SavedModel.FromString(read_file(path / _PB))
    except DecodeError:
        raise EdgecnnError(f"{path / _PB} is damaged: copy it again") from None
    if strange := sorted(set().union(*map(_strange, saved.meta_graphs))):
        raise EdgecnnError(
            f"{path} holds {', '.join(strange)}, which no classifier of images needs and which may do anything:"
            " it is not loaded"
        )


def _strange(graph: Any) -> set[str]:
    """The operators of a graph and its functions that are not allowed where they stand."""
    nodes = {node.name: node for node in graph.graph_def.node}
    functions = {function.signature.name: function.node_def for function in graph.graph_def.library.function}
    save, restore = (
        _before(nodes, [end]) for end in (graph.saver_def.save_tensor_name, graph.saver_def.restore_op_name)
    )
    ends = [output.name for signature in graph.signature_def.values() for output in signature.outputs.values()]
    rest = {name for name in nodes if name not in save | restore} | _before(nodes, [*ends, *_initializers(graph)])
    saver = _called([nodes[name] for name in save | restore], functions)
    used = _called([nodes[name] for name in rest], functions) | _revived(graph)
    regions = (
        (save, _called([nodes[name] for name in save], functions), _SAVING),
        (restore, _called([nodes[name] for name in restore], functions), _RESTORING),
        (rest, _closed((set(functions) - saver) | used, functions), ALLOWED),
    )
    return {
        node.op
        for names, inner, allowed in regions
        for node in (*(nodes[name] for name in names), *(node for name in inner for node in functions.get(name, ())))
        if node.op not in allowed and node.op not in functions
    }


def _before(nodes: dict[str, Any], ends: Iterable[str]) -> set[str]:
    """The nodes `ends`, and all nodes that must run before them."""
    before: set[str] = set()
    waiting = list(ends)
    while waiting:
        name = waiting.pop().lstrip("^").split(":")[0]
        if name in nodes and name not in before:
            before.add(name)
            waiting += nodes[name].input
    return before


def _called(nodes: Iterable[Any], functions: dict[str, Any]) -> set[str]:
    """The functions that nodes call, and all functions that these call."""
    return _closed({name for node in nodes for name in _names(node)}, functions)


def _closed(names: set[str], functions: dict[str, Any]) -> set[str]:
    """These functions, and all functions that they call."""
    closed, waiting = set[str](), list(names)
    while waiting:
        name = waiting.pop()
        if name in functions and name not in closed:
            closed.add(name)
            waiting += [inner for node in functions[name] for inner in _names(node)]
    return closed


def _names(node: Any) -> list[str]:
    """The names in a node that may be functions: its operator, and attributes."""
    attributes = node.attr.values()
    return [
        node.op,
        *(value.func.name for value in attributes if value.HasField("func")),
        *(function.name for value in attributes if value.HasField("list") for function in value.list.func),
    ]


def _initializers(graph: Any) -> list[str]:
    """The nodes that loading runs."""
    return [name for collection in graph.collection_def.values() for name in collection.node_list.value]


def _revived(graph: Any) -> set[str]:
    """The functions that loading makes callable again."""
    return set(graph.object_graph_def.concrete_functions)
