#!/usr/bin/env python3
"""No source file includes what its room must not know (docs/architecture.md, "Dependency rules").

The libraries' headers stand on the compiler's own search path, so Bazel cannot notice an include that no dependency
backs; header-only ones would even link. This reads every #include of the tree.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
GRPC = r"grpc(pp|\+\+)?/|.*\.grpc\.pb\.h"
LIBTORCH = r"(torch|ATen|c10|caffe2)/"
CUDA = r"cuda|cupti|nv"

# (files, the includes that they must not have), as regular expressions over paths from the root.
RULES = [
    (
        r"scheduler/",
        rf"{GRPC}|{LIBTORCH}|{CUDA}|prometheus/|google/|(client|metrics|model|proto|server)/",
    ),
    (r"scheduler/(?!loop/asio_)", r"boost/"),
    # The rooms of scheduler. Tests may use what stands above.
    (r"scheduler/loop/(?!.*_test\.cc)", r"scheduler/(?!loop/)"),
    (
        r"scheduler/(feedback|latency|queue)/(?!.*_test\.cc)",
        r"scheduler/(?!(feedback|latency|queue)/|(batch|point_table|request)\.h)",
    ),
    (
        r"scheduler/policies/(?!.*_test\.cc|.*testing/)",
        r"scheduler/(?!(feedback|latency|policies)/|(decision|point_table|policy|request)\.h)",
    ),
    (r"scheduler/admission/", r"scheduler/(scheduler\.h|(loop|queue|sim)/)"),
    (r"scheduler/sim/world/", r"scheduler/sim/(?!world/)"),
    (r"model/", rf"{GRPC}|boost/|prometheus/|(client|metrics|scheduler|server)/"),
    (r"model/(?!train/|engine/torch_)", LIBTORCH),
    # CUDA is behind a boundary of two places.
    (r"model/(?!train/|kernels/cuda/(cutlass_)?launch\.cu$|engine/cuda/runtime_device\.cc$)", rf"{CUDA}|cutlass/"),
    (r"server/", rf"{CUDA}|cutlass/"),
    (r"model/(?!train/)", r"model/train/"),
    # The rooms of model. Their tests may use what stands above.
    (r"model/format/(?!.*_test\.cc)", rf"{CUDA}|model/(?!format/)"),
    (r"model/arch/(?!.*_test\.cc)", rf"{CUDA}|model/(?!(arch|format)/)"),
    (r"model/data/(?!.*_test\.cc)", rf"{CUDA}|model/(?!(data|format)/)"),
    (r"model/import/(?!testing/|.*_test\.cc)", rf"{CUDA}|model/(?!(format|import)/)"),
    (r"model/kernels/(?!.*_test\.cc)", r"model/(?!(format|kernels)/)"),
    (r"model/engine/(?!.*_(test|benchmark|check)\.cc)", r"model/(?!(data|engine|format|kernels)/)"),
    (r"model/train/recipe/", rf"{LIBTORCH}|model/train/(?!recipe/)"),
    (r"model/train/processes/", r"model/train/(?!processes/|testing/team\.h)"),
    (r"model/train/network/", r"model/train/(?!network/|processes/|recipe/|testing/(stripes|team)\.h)"),
    (r"model/train/trainer/", r"model/train/(?!network/|processes/|recipe/|testing/|trainer/)"),
    (r"model/train/convert/", r"model/train/(?!convert/|recipe/)"),
    (r"model/train/search/", rf"{LIBTORCH}|model/train/(convert|network|processes|recipe)/"),
    # The messages of ONNX are read in one place.
    (r"(?!model/import/)", r"onnx/"),
    (r"metrics/", rf"{GRPC}|{LIBTORCH}|(client|model|proto|server)/"),
    (r"metrics/", r"boost/"),
    (r"server/http/", rf"{GRPC}|google/|(metrics|model|proto|scheduler)/|server/(?!http/)"),
    (r"server/rest/", r"boost/"),
    # The edge tells its observer; only the composition knows that metrics are one.
    (r"server/(?!compose_(serving|version)|edge_metrics)", r"metrics/"),
    (r"server/", rf"{LIBTORCH}|model/(train/|engine/torch_)|client/"),
    (r"server/(?!testing/|.*_test\.cc)", r"scheduler/sim/"),
    (
        r"base/",
        rf"{GRPC}|{LIBTORCH}|{CUDA}|boost/|prometheus/|google/|(client|metrics|model|proto|report|scheduler|server)/",
    ),
    (
        r"report/",
        rf"{GRPC}|{LIBTORCH}|{CUDA}|boost/|prometheus/|google/|(client|metrics|model|proto|scheduler|server)/",
    ),
    (r"client/", rf"{LIBTORCH}|boost/|prometheus/|(metrics|model|scheduler|server)/"),
]

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^">]+)[">]', re.MULTILINE)


def includes():
    """Yields (file, what it includes) for each C++ file of ours."""
    for room in ("base", "client", "metrics", "model", "report", "scheduler", "server"):
        for path in sorted((ROOT / room).rglob("*")):
            if path.suffix in (".h", ".cc", ".cu", ".cuh", ".inc"):
                for included in INCLUDE.findall(path.read_text(encoding="utf-8")):
                    yield str(path.relative_to(ROOT)), included


def main():
    found = list(includes())
    errors = [
        f"{file} includes <{included}>"
        for file, included in found
        for files, forbidden in RULES
        if re.match(files, file) and re.match(forbidden, included)
    ]
    # What is allowed must be seen, or what is forbidden could not be.
    for seen in [("client/inference_client.cc", "grpcpp/grpcpp.h"), ("scheduler/scheduler.h", "scheduler/request.h")]:
        if seen not in found:
            errors.append(f"the scan of {ROOT} missed that {seen[0]} includes {seen[1]}")
    print("\n".join(errors))
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
