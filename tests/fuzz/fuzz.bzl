"""A fuzz target: one source that fuzzes with clang's libFuzzer and runs over its corpus as an ordinary test."""

def fuzz_target(name, deps):
    """Declares `<name>_test`, which gives the corpus to the target once, and `<name>`, the fuzzer.

    Args:
      name: `<name>.cc` defines LLVMFuzzerTestOneInput; `corpus/<name>/` holds its inputs, at least one.
      deps: of the target.
    """
    native.cc_library(
        name = name + "_target",
        testonly = True,
        srcs = [name + ".cc"],
        alwayslink = True,
        deps = deps + [":fuzz_target"],
    )
    native.cc_test(
        name = name + "_test",
        size = "small",
        srcs = ["run_corpus.cc"],
        args = [native.package_name() + "/corpus/" + name],
        # An input is added by its file alone: a glob here is what a corpus is.
        data = native.glob(["corpus/" + name + "/*"]),
        deps = [
            ":fuzz_target",
            name + "_target",
        ],
    )

    # Links only with --config=asan, as scripts/fuzz does.
    native.cc_binary(
        name = name,
        testonly = True,
        linkopts = ["-fsanitize=fuzzer"],
        tags = ["manual"],
        deps = [name + "_target"],
    )
