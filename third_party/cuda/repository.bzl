"""Finds the CUDA toolkit and CUTLASS's headers; a build that does not use them needs neither.

The toolkit is the folder named by ANYBIT_CUDA, else /usr/local/cuda. CUTLASS is the folder named by ANYBIT_CUTLASS
(one with include/cutlass), else what `scripts/setup --cuda` puts into .cache/cuda.
"""

def _cuda_repository_impl(ctx):
    workspace = str(ctx.path(Label("//:WORKSPACE")).dirname)
    toolkit = ctx.os.environ.get("ANYBIT_CUDA", "") or "/usr/local/cuda"
    cutlass = ctx.os.environ.get("ANYBIT_CUTLASS", "") or workspace + "/.cache/cuda/cutlass_library/source"
    missing = ""
    if not ctx.path(toolkit + "/bin/nvcc").exists:
        missing = "no CUDA toolkit in " + toolkit + ": install one, or set ANYBIT_CUDA"
    elif not ctx.path(cutlass + "/include/cutlass").exists:
        missing = "CUTLASS is not in " + cutlass + ": run scripts/setup --cuda, or set ANYBIT_CUTLASS"
    if missing:
        # The failure waits for the first use.
        ctx.file("BUILD", """
package(default_visibility = ["//visibility:public"])

genrule(
    name = "missing",
    outs = ["missing.cc"],
    cmd = "echo '{missing}' >&2; exit 1",
)

cc_library(
    name = "runtime",
    srcs = ["missing.cc"],
)

filegroup(
    name = "toolkit",
    srcs = ["missing.cc"],
)
""".replace("{missing}", missing))
        ctx.file("paths.bzl", "NVCC = \"false\"\nCUTLASS = \"\"\n")
        return
    for part in ("include", "lib64"):
        ctx.symlink(toolkit + "/" + part, part)
    for version in ("version.json", "include/cuda_runtime_api.h"):
        if ctx.path(toolkit + "/" + version).exists:
            ctx.symlink(toolkit + "/" + version, "version")
            break
    ctx.symlink(cutlass + "/include/cutlass/version.h", "cutlass_version")
    ctx.file("paths.bzl", "NVCC = \"%s/bin/nvcc\"\nCUTLASS = \"%s/include\"\n" % (toolkit, cutlass))
    ctx.symlink(Label("//third_party/cuda:cuda.BUILD"), "BUILD")

cuda_repository = repository_rule(
    implementation = _cuda_repository_impl,
    environ = [
        "ANYBIT_CUDA",
        "ANYBIT_CUTLASS",
    ],
    local = True,
)
