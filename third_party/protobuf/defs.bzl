"""C++ code from .proto files by Debian's protoc and gRPC plug-in."""

def cc_proto(name, src, deps = [], grpc = False, visibility = None):
    """A cc_library of the messages (and, with grpc, the service) of one .proto file.

    Args:
      name: the library; include it as "<package>/<stem>.pb.h" and "<package>/<stem>.grpc.pb.h".
      src: the .proto file, in this package.
      deps: cc_proto libraries of the files it imports.
      grpc: whether to generate the service, in the callback and synchronous C++ APIs.
      visibility: of the library.
    """
    stem = src[:-len(".proto")]
    outs = [stem + ".pb.h", stem + ".pb.cc"]
    if grpc:
        outs += [stem + ".grpc.pb.h", stem + ".grpc.pb.cc"]
    native.filegroup(
        name = name + "_source",
        srcs = [src] + [d + "_source" for d in deps],
        visibility = visibility,
    )
    root = "$$(dirname $$(dirname $(location %s)))" % outs[0]
    native.genrule(
        name = name + "_code",
        srcs = [":" + name + "_source"],
        outs = outs,
        cmd = " ".join([
            "/usr/bin/protoc -I. --cpp_out=" + root,
            ("--plugin=protoc-gen-grpc=/usr/bin/grpc_cpp_plugin --grpc_out=" + root) if grpc else "",
            native.package_name() + "/" + src,
        ]),
    )
    native.cc_library(
        name = name,
        srcs = [o for o in outs if o.endswith(".cc")],
        hdrs = [o for o in outs if o.endswith(".h")],
        copts = ["-w"],
        deps = deps + ["@system//:grpc" if grpc else "@system//:protobuf"],
        visibility = visibility,
    )
