"""Objects that nvcc compiles."""

load("@cuda//:paths.bzl", "CUTLASS", "NVCC")

def cuda_object(name, src, hdrs):
    """Compiles `src` for the architectures of --define=anybit_cuda_architectures=LIST, as in 80,90a.

    The target is manual: without --config=cuda nothing builds it.

    Args:
      name: of the target; makes <name>.o.
      src: the .cu file.
      hdrs: the headers of ours that it includes.
    """
    native.genrule(
        name = name,
        srcs = [src] + hdrs + ["@cuda//:toolkit"],
        outs = [name + ".o"],
        cmd = "$(location //third_party/cuda:compile) '%s' '%s' $(location %s) $@ $(anybit_cuda_architectures)" %
              (NVCC, CUTLASS, src),
        message = "Compiling for GPUs",
        tags = ["manual"],
        tools = ["//third_party/cuda:compile"],
    )
