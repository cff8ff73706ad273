"""The parts of a classifier's `.tflite`: the rows of its tables (see `edgecnn.flatbuffer`), and its operators.

Source: tensorflow/lite/schema/schema.fbs; tests/test_structure.py compares it with TensorFlow's own reader.
"""

MODEL = "ITTsTyTTxx"  # version, operator codes, subgraphs, description, buffers, …, metadata, signatures
OPERATOR_CODE = "bsii"  # the code where it is below 127, custom code, version, the code
SUBGRAPH = "TNNTs4"  # tensors, inputs, outputs, operators, name
TENSOR = "NbIstbxN1xx"  # shape, type, buffer, name, quantization, variable, sparsity, shape signature, …, variants
QUANTIZATION = "yyFQbti"  # min, max, scale, zero point, details (type, table), dimension
OPERATOR = "INNbtB1BN88bt4"  # code, inputs, outputs, options (type, table), custom options, …, more options
BUFFER = "B88"  # data; an offset and a size outside of the flatbuffer
METADATA = "sI"
SIGNATURE = "TTsxI"  # inputs, outputs, key, subgraph
TENSOR_MAP = "sI"

# Bytes of an item, by the number of a tensor's type: FLOAT32, FLOAT16, INT32, UINT8, INT64, BOOL, INT16, INT8,
# FLOAT64, UINT64, UINT32, UINT16, BFLOAT16. INT4 is half a byte.
WIDTHS = {0: 4, 1: 2, 2: 4, 3: 1, 4: 8, 6: 1, 7: 2, 9: 1, 10: 8, 12: 8, 15: 4, 16: 2, 17: 0.5, 18: 2}
# Least and most value of the types that are quantized.
RANGES = {2: (-(2**31), 2**31 - 1), 3: (0, 255), 7: (-(2**15), 2**15 - 1), 9: (-128, 127), 17: (-8, 7)}

# By an operator's code: its name, the least number of its inputs, the type of its options and their fields: besides
# the letters of a row, P is an int32 from 1 that must be there, D one that need not be, A an activation (0 to 5), and
# W a padding (0 or 1).
OPERATORS = {
    0: ("ADD", 2, 11, "A1"),
    1: ("AVERAGE_POOL_2D", 1, 5, "WPPPPA"),
    2: ("CONCATENATION", 1, 10, "4A"),
    3: ("CONV_2D", 2, 1, "WPPADD1"),
    4: ("DEPTHWISE_CONV_2D", 2, 2, "WPP4ADD"),
    5: ("DEPTH_TO_SPACE", 1, 94, "P"),
    6: ("DEQUANTIZE", 1, 38, ""),
    8: ("FLOOR", 1, 0, ""),
    9: ("FULLY_CONNECTED", 2, 8, "A1111"),
    11: ("L2_NORMALIZATION", 1, 12, "A"),
    12: ("L2_POOL_2D", 1, 5, "WPPPPA"),
    13: ("LOCAL_RESPONSE_NORMALIZATION", 1, 13, "4444"),
    14: ("LOGISTIC", 1, 0, ""),
    17: ("MAX_POOL_2D", 1, 5, "WPPPPA"),
    18: ("MUL", 2, 21, "A"),
    19: ("RELU", 1, 0, ""),
    20: ("RELU_N1_TO_1", 1, 0, ""),
    21: ("RELU6", 1, 0, ""),
    22: ("RESHAPE", 1, 17, "y"),
    23: ("RESIZE_BILINEAR", 2, 15, "4411"),
    25: ("SOFTMAX", 1, 9, "4"),
    26: ("SPACE_TO_DEPTH", 1, 19, "P"),
    28: ("TANH", 1, 0, ""),
    34: ("PAD", 2, 22, ""),
    36: ("GATHER", 2, 23, "44"),
    37: ("BATCH_TO_SPACE_ND", 3, 24, ""),
    38: ("SPACE_TO_BATCH_ND", 3, 25, ""),
    39: ("TRANSPOSE", 2, 26, ""),
    40: ("MEAN", 2, 27, "1"),
    41: ("SUB", 2, 28, "A1"),
    42: ("DIV", 2, 29, "A"),
    43: ("SQUEEZE", 1, 30, "y"),
    44: ("UNIDIRECTIONAL_SEQUENCE_LSTM", 20, 71, "A44111"),
    45: ("STRIDED_SLICE", 4, 32, "444441"),
    47: ("EXP", 1, 33, ""),
    49: ("SPLIT", 2, 35, "P"),
    50: ("LOG_SOFTMAX", 1, 36, ""),
    52: ("BIDIRECTIONAL_SEQUENCE_LSTM", 35, 69, "A44111"),
    53: ("CAST", 1, 37, "11"),
    54: ("PRELU", 2, 0, ""),
    55: ("MAXIMUM", 2, 39, ""),
    56: ("ARG_MAX", 2, 40, "1"),
    57: ("MINIMUM", 2, 39, ""),
    58: ("LESS", 2, 41, ""),
    59: ("NEG", 1, 42, ""),
    60: ("PADV2", 3, 43, ""),
    61: ("GREATER", 2, 44, ""),
    62: ("GREATER_EQUAL", 2, 45, ""),
    63: ("LESS_EQUAL", 2, 46, ""),
    64: ("SELECT", 3, 47, ""),
    65: ("SLICE", 3, 48, ""),
    66: ("SIN", 1, 0, ""),
    67: ("TRANSPOSE_CONV", 3, 49, "WPPA1"),
    69: ("TILE", 2, 51, ""),
    70: ("EXPAND_DIMS", 2, 52, ""),
    71: ("EQUAL", 2, 53, ""),
    72: ("NOT_EQUAL", 2, 54, ""),
    73: ("LOG", 1, 0, ""),
    74: ("SUM", 2, 27, "1"),
    75: ("SQRT", 1, 0, ""),
    76: ("RSQRT", 1, 0, ""),
    77: ("SHAPE", 1, 55, "1"),
    78: ("POW", 2, 56, ""),
    79: ("ARG_MIN", 2, 57, "1"),
    80: ("FAKE_QUANT", 1, 58, "4441"),
    81: ("REDUCE_PROD", 2, 27, "1"),
    82: ("REDUCE_MAX", 2, 27, "1"),
    83: ("PACK", 1, 59, "P4"),
    84: ("LOGICAL_OR", 2, 60, ""),
    85: ("ONE_HOT", 4, 61, "4"),
    86: ("LOGICAL_AND", 2, 62, ""),
    87: ("LOGICAL_NOT", 1, 63, ""),
    88: ("UNPACK", 1, 64, "P4"),
    89: ("REDUCE_MIN", 2, 27, "1"),
    90: ("FLOOR_DIV", 2, 65, ""),
    92: ("SQUARE", 1, 66, ""),
    93: ("ZEROS_LIKE", 1, 67, ""),
    94: ("FILL", 2, 68, ""),
    95: ("FLOOR_MOD", 2, 72, ""),
    96: ("RANGE", 3, 73, ""),
    97: ("RESIZE_NEAREST_NEIGHBOR", 2, 74, "11"),
    98: ("LEAKY_RELU", 1, 75, "4"),
    99: ("SQUARED_DIFFERENCE", 2, 76, ""),
    100: ("MIRROR_PAD", 2, 77, "1"),
    101: ("ABS", 1, 78, ""),
    102: ("SPLIT_V", 3, 79, "P"),
    104: ("CEIL", 1, 0, ""),
    105: ("REVERSE_V2", 2, 81, ""),
    106: ("ADD_N", 1, 82, ""),
    107: ("GATHER_ND", 2, 83, ""),
    108: ("COS", 1, 84, ""),
    111: ("ELU", 1, 0, ""),
    114: ("QUANTIZE", 1, 89, ""),
    116: ("ROUND", 1, 0, ""),
    117: ("HARD_SWISH", 1, 91, ""),
    123: ("SELECT_V2", 3, 98, ""),
    126: ("BATCH_MATMUL", 2, 101, "111"),
    128: ("CUMSUM", 2, 102, "11"),
    130: ("BROADCAST_TO", 2, 104, ""),
    132: ("CONV_3D", 2, 106, "WPPPADDD"),
    145: ("BROADCAST_ARGS", 2, 0, ""),
    150: ("GELU", 1, 116, "1"),
    152: ("RELU_0_TO_1", 1, 0, ""),
}
OPTIONAL_FROM = {3: 2, 9: 2, 67: 3, 132: 2, 44: 1, 52: 1}  # the first input that may be missing (-1)
