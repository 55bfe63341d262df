#!/usr/bin/env bash
# In ONNX Runtime on a CPU, whether a maximum shows a NaN depends on where the NaN stands, differently for each operator.
#
# Seen 2026-11-30: onnxruntime 1.32.0, onnx 1.23.2, numpy 2.2.6, Python 3.11.
# Guess: as in numpy and PyTorch, a maximum over values with a NaN is NaN wherever it stands, and ArgMax finds it.
# Seen: 64 values from -2 to 2, one of them NaN:
#   NaN at 0:  ReduceMax nan, ArgMax 0, MaxPool 2.00, ReduceL1 nan
#   NaN at 32: ReduceMax 2.00, ArgMax 63, MaxPool 2.00, ReduceL1 nan
#   NaN at 63: ReduceMax 1.94, ArgMax 62, MaxPool nan, ReduceL1 nan
# ThresholdedRelu makes 0 of a NaN; Relu, Clip, Max, LSTM and GRU pass it on.
# Why it matters: a check for NaN by `abs().max()` works in PyTorch, and is blind once the graph is exported. A guard
# behind a network has to look at each sample, or at a sum.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --no-compile --target packages numpy==2.2.6 onnx==1.23.2 onnxruntime==1.32.0

PYTHONPATH=packages OPENBLAS_NUM_THREADS=1 python3 - <<'EOF'
import numpy as np
import onnxruntime
from onnx import TensorProto, helper


def run(operator, values, output=TensorProto.FLOAT, axes=None, **attributes):
    inputs = [helper.make_tensor_value_info("values", TensorProto.FLOAT, values.shape)]
    constants = [] if axes is None else [helper.make_tensor("axes", TensorProto.INT64, [1], [axes])]
    names = ["values"] + [constant.name for constant in constants]
    node = helper.make_node(operator, names, ["result"], **attributes)
    result = helper.make_tensor_value_info("result", output, None)
    graph = helper.make_graph([node], "one_operator", inputs, [result], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"values": values})[0].ravel()


hidden = {}
for at in (0, 32, 63):
    values = np.linspace(-2, 2, 64, dtype=np.float32)[None]
    values[0, at] = np.nan
    largest = run("ReduceMax", values, axes=1)[0]
    index = run("ArgMax", values, TensorProto.INT64, axis=1)[0]
    pooled = run("MaxPool", values[:, None], kernel_shape=[64])[0]
    total = run("ReduceL1", values, axes=1)[0]
    print(f"NaN at {at}: ReduceMax {largest:.2f}, ArgMax {index}, MaxPool {pooled:.2f}, ReduceL1 {total}")
    assert np.isnan(total)
    hidden[at] = (not np.isnan(largest), index != at, not np.isnan(pooled))
print("ThresholdedRelu:", run("ThresholdedRelu", values)[63])
assert hidden[0] == (False, False, True), hidden
assert hidden[32] == (True, True, True), hidden
assert hidden[63][:2] == (True, True), hidden
EOF
