// The server program: flags in, network in, then served until a signal.
//
// The only place that names the concrete network and its kernels.
#include <chrono>
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/flags/usage_config.h"
#include "absl/strings/match.h"
#include "absl/time/time.h"
#include "model/artifact.h"
#include "model/kernels/instruction_set.h"
#include "model/packed_network.h"
#include "server/options.h"
#include "server/processors.h"
#include "server/serve_until_stopped.h"

ABSL_FLAG(std::string, artifact, "", "file that holds the network to serve");
ABSL_FLAG(std::string, grpc_address, "127.0.0.1:8001", "host:port of the inference service; port 0 picks a free one");
ABSL_FLAG(std::string, http_address, "127.0.0.1:8002", "host:port of /metrics, /livez and /readyz; empty for none");
ABSL_FLAG(std::string, policy, "anybit",
          "what picks operating point and batch: anybit, slackfit, fixed:<point>, ...; an unknown one prints all");
ABSL_FLAG(std::string, isa, "auto",
          "instruction set of the kernels: avx512, avx_vnni, avx2, portable; auto: the best that this processor runs");
ABSL_FLAG(int32_t, panel_memory, 1024, "MiB of packed weights to keep; those of the point used last are always kept");
ABSL_FLAG(int32_t, slots, 1, "batches that run at the same time");
ABSL_FLAG(int32_t, threads_per_slot, 1, "threads that share the rows of a batch; times --slots at most the processors");
ABSL_FLAG(bool, pin, true,
          "keep each slot on processors of its own; false where other processes compute on the same ones");
ABSL_FLAG(int32_t, max_batch, 64, "rows of the largest batch and of the largest request");
ABSL_FLAG(std::string, profile, "",
          "file of latencies and kernel choices to load; empty: measure them at the start, in up to six seconds");
ABSL_FLAG(std::string, save_profile, "", "file to write latencies and kernel choices to");
ABSL_FLAG(std::string, sla_classes, "interactive:20ms:0,batch:500ms:0",
          "comma-separated classes, each name:objective[:accuracy floor in basis points[:weight]]; the weight (1) says "
          "what a request counts for beside others when not all can be served; requests that name none belong to the "
          "class 'default', which may be listed too");
ABSL_FLAG(std::string, tenants, "",
          "comma-separated tenants, each name[:share[:accuracy floor in basis points]]; when not all can be served, "
          "who takes more than its share (1) yields first; requests that name none belong to the tenant 'default', "
          "which may be listed too");
ABSL_FLAG(int32_t, max_queue, 10000, "requests that may wait");
ABSL_FLAG(absl::Duration, drain_delay, absl::Seconds(5), "after SIGTERM, how long to accept requests while not ready");
ABSL_FLAG(absl::Duration, drain_timeout, absl::Seconds(20), "then, how long to finish what was accepted");

namespace anybit {
namespace {

// What the printed client command classifies: the dataset that the default artifact was trained for.
constexpr char kExample[] =
    "classify --first 10 --labels /usr/share/datasets/fashion-mnist/t10k-labels-idx1-ubyte.gz "
    "/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz";

absl::StatusOr<ServerOptions> OptionsFromFlags() {
  absl::StatusOr<std::vector<SlaClass>> sla_classes = ParseSlaClasses(absl::GetFlag(FLAGS_sla_classes));
  if (!sla_classes.ok()) return sla_classes.status();
  absl::StatusOr<std::vector<Tenant>> tenants = ParseTenants(absl::GetFlag(FLAGS_tenants));
  if (!tenants.ok()) return tenants.status();
  return ServerOptions{.artifact = absl::GetFlag(FLAGS_artifact),
                       .grpc_address = absl::GetFlag(FLAGS_grpc_address),
                       .http_address = absl::GetFlag(FLAGS_http_address),
                       .policy = absl::GetFlag(FLAGS_policy),
                       .isa = absl::GetFlag(FLAGS_isa),
                       .panel_memory = absl::GetFlag(FLAGS_panel_memory),
                       .slots = absl::GetFlag(FLAGS_slots),
                       .threads_per_slot = absl::GetFlag(FLAGS_threads_per_slot),
                       .pin = absl::GetFlag(FLAGS_pin),
                       .processors = AllowedProcessors(),
                       .max_batch = absl::GetFlag(FLAGS_max_batch),
                       .profile = absl::GetFlag(FLAGS_profile),
                       .save_profile = absl::GetFlag(FLAGS_save_profile),
                       .sla_classes = *std::move(sla_classes),
                       .tenants = *std::move(tenants),
                       .max_queue = absl::GetFlag(FLAGS_max_queue),
                       .drain_delay = absl::ToChronoNanoseconds(absl::GetFlag(FLAGS_drain_delay)),
                       .drain_timeout = absl::ToChronoNanoseconds(absl::GetFlag(FLAGS_drain_timeout))};
}

absl::StatusOr<std::unique_ptr<AdaptiveNetwork>> LoadArtifact(const ServerOptions& options,
                                                              const KernelTable& kernels) {
  absl::StatusOr<Artifact> artifact = ReadArtifact(options.artifact);
  if (!artifact.ok()) return artifact.status();
  return PackedNetwork::Create(
      *std::move(artifact), kernels,
      {.threads = options.threads_per_slot, .panel_budget = int64_t{options.panel_memory} << 20});
}

int Main(int argc, char** argv) {
  // --help shows these flags, not only those of a file that is named like the program.
  absl::FlagsUsageConfig usage;
  usage.contains_help_flags = [](absl::string_view file) { return absl::EndsWith(file, "server/main.cc"); };
  absl::SetFlagsUsageConfig(usage);
  absl::SetProgramUsageMessage("anybit-server --artifact=FILE: serves one network at any of its bit-widths by gRPC");
  const std::vector<char*> words = absl::ParseCommandLine(argc, argv);
  absl::StatusOr<ServerOptions> options = OptionsFromFlags();
  if (words.size() > 1) {
    options = absl::InvalidArgumentError(std::string("not an option: '") + words[1] + "'; options are --name=value");
  }
  absl::StatusOr<const KernelTable*> kernels = options.ok() ? KernelsByName(options->isa) : options.status();
  if (!kernels.ok()) {
    std::cerr << "anybit-server: " << kernels.status().message() << std::endl;
    return 2;
  }
  return ServeUntilStopped(*options, [&] { return LoadArtifact(*options, **kernels); }, kExample);
}

}  // namespace
}  // namespace anybit

int main(int argc, char** argv) { return anybit::Main(argc, argv); }
