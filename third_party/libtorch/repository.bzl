"""Finds LibTorch: the folder named by ANYBIT_LIBTORCH, else .libtorch in the workspace, which scripts/setup fills.

A folder fits if it holds `torch/include` and `torch/lib` (the layout of the PyPI wheel), and beside them `nvidia/`
with the two CUDA runtime libraries that libtorch_cpu loads.
"""

def _libtorch_repository_impl(ctx):
    folder = ctx.os.environ.get("ANYBIT_LIBTORCH", "")
    if folder == "":
        folder = str(ctx.path(Label("//:WORKSPACE")).dirname) + "/.libtorch"
    if not ctx.path(folder + "/torch/include").exists:
        # A build that does not touch LibTorch must not need it, so the failure waits for the first use.
        ctx.file("BUILD", """
genrule(
    name = "missing",
    outs = ["missing.cc"],
    cmd = "echo 'LibTorch is not in {folder}: run scripts/setup, or set ANYBIT_LIBTORCH' >&2; exit 1",
)

cc_library(
    name = "libtorch",
    srcs = ["missing.cc"],
    visibility = ["//visibility:public"],
)
""".replace("{folder}", folder))
        return
    for entry in ctx.path(folder + "/torch/include").readdir():
        # LibTorch carries the protobuf it was built with, in some versions another than the one that we generate for.
        if entry.basename != "google":
            ctx.symlink(entry, "include/" + entry.basename)
    ctx.symlink(folder + "/torch/lib", "lib")
    run_paths = [folder + "/torch/lib"]
    nvidia = ctx.path(folder + "/nvidia")
    cuda_includes = []
    if nvidia.exists:
        ctx.symlink(nvidia, "nvidia")
        for part in nvidia.readdir():
            if ctx.path(str(part) + "/include").exists:
                cuda_includes.append("nvidia/%s/include" % part.basename)
            if ctx.path(str(part) + "/lib").exists:
                run_paths.append(str(part) + "/lib")
    ctx.template("BUILD", Label("//third_party/libtorch:libtorch.BUILD"), {
        "{LINK_FOLDER}": folder + "/torch/lib",
        "{CUDA_INCLUDES}": ", ".join(["\"%s\"" % p for p in cuda_includes]),
        "{RUN_PATHS}": ", ".join(["\"-Wl,-rpath,%s\", \"-Wl,-rpath-link,%s\"" % (p, p) for p in run_paths]),
    })

libtorch_repository = repository_rule(
    implementation = _libtorch_repository_impl,
    environ = ["ANYBIT_LIBTORCH"],
    local = True,
)
