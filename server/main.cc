// The server program: flags in, network in, then served until a signal.
//
// It names the concrete network and its kernels; compose_serving.h names the rest.
#include <chrono>
#include <cstdint>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/command_line.h"
#include "base/commit.h"
#include "base/configuration.h"
#include "base/version.h"
#include "model/engine/packed_network.h"
#include "model/format/artifact.h"
#include "model/kernels/cpu/instruction_set.h"
#include "server/compose_serving.h"
#include "server/control_groups.h"
#include "server/device_request.h"
#include "server/devices.h"
#include "server/event_log.h"
#include "server/gpu_backend.h"
#include "server/grpc_deadline.h"
#include "server/library_log.h"
#include "server/options.h"
#include "server/page/page_mode.h"
#include "server/processors.h"
#include "server/serve_until_stopped.h"

ABSL_FLAG(std::string, artifact, "", "file that holds the network to serve");
ABSL_FLAG(std::string, model_name, "", "name that clients know the model by; empty: the artifact's");
ABSL_FLAG(int64_t, model_version, 0,
          "version of the network that is served first; 0: the artifact's. Those that are loaded later keep their own");
ABSL_FLAG(std::string, flagfile, "", "file of flags, one a line as name=value; # begins a comment");
ABSL_FLAG(std::string, grpc_address, "127.0.0.1:8001",
          "comma-separated addresses of gRPC, each host:port or unix:/path; port 0 picks a free one; IPv6 as in "
          "[::]:8001");
ABSL_FLAG(std::string, http_address, "127.0.0.1:8000",
          "likewise of HTTP: /v2, /metrics, /livez and /readyz; empty for none");
ABSL_FLAG(std::string, health_address, "",
          "likewise of probes without TLS and tokens: /livez, /readyz and gRPC's health checks on one port; empty for "
          "none");
ABSL_FLAG(std::string, unix_socket_mode, "0660", "permissions of Unix sockets, as an octal number");
ABSL_FLAG(std::string, tls_certificate, "",
          "PEM file of the server's certificate, with those that lead to its authority; empty: no TLS");
ABSL_FLAG(std::string, tls_key, "", "PEM file of its key");
ABSL_FLAG(std::string, tls_client_authorities, "",
          "PEM file of authorities; clients must have a certificate of one of them, and its common name is the tenant; "
          "empty: clients need no certificate");
ABSL_FLAG(std::string, tls_min_version, "1.2", "lowest version of TLS: 1.2 or 1.3");
ABSL_FLAG(std::string, token_file, "",
          "file of tokens, one a line, each 'TOKEN [tenant=NAME] [admin]'; clients must send one as 'authorization: "
          "Bearer TOKEN'; empty: they need none");
ABSL_FLAG(absl::Duration, reload_interval, absl::Seconds(10),
          "how often the files of TLS and tokens are looked at; SIGHUP does so at once");
ABSL_FLAG(std::string, log_format, "text", "of the lines on standard error about events: text or json");
ABSL_FLAG(std::string, log_level, "info", "least severe events to log: error, warning or info");
ABSL_FLAG(bool, triton_metrics, false,
          "also expose metrics under Triton's names (nv_inference_...), for its dashboards");
ABSL_FLAG(double, live_accuracy, 0.01,
          "part of a processor's time for running answered rows again at the most accurate operating point while all "
          "slots are idle, to show how often answers agree; 0: never");
ABSL_FLAG(std::string, policy, "anybit",
          "what picks operating point and batch: anybit, slackfit, fixed:<point>, ...; an unknown one prints all");
ABSL_FLAG(std::string, device, "auto",
          "where the network runs: cpu, cuda:N (a program built with --config=cuda), or auto: the first usable GPU, "
          "otherwise the CPU");
ABSL_FLAG(int32_t, device_memory, 0, "MiB of a GPU's memory that the network may take; 0: what is free");
ABSL_FLAG(std::string, isa, "auto",
          "instruction set of the kernels: amx, avx512, avx_vnni, avx2, portable; auto: the best that this processor "
          "runs");
ABSL_FLAG(int32_t, panel_memory, 1024, "MiB of packed weights to keep; those of the point used last are always kept");
ABSL_FLAG(int32_t, slots, 0,
          "batches that run at the same time; 0: on a GPU two, else by the processors, and the quota of time on them, "
          "that this process may use");
ABSL_FLAG(int32_t, threads_per_slot, 0,
          "threads that share the rows of a batch; times --slots at most the processors; 0: likewise");
ABSL_FLAG(std::optional<bool>, pin, std::nullopt,
          "keep each slot on processors of its own; without a value: unless there is a quota. Say false where other "
          "processes compute on the same ones");
ABSL_FLAG(int32_t, max_batch, 64, "rows of the largest batch and of the largest request");
ABSL_FLAG(std::string, profile, "",
          "file of latencies and kernel choices to load; empty: measure them at the start, in up to six seconds. One "
          "of another network is refused, one of another machine measured anew");
ABSL_FLAG(std::string, save_profile, "",
          "file to write latencies and kernel choices to; the one of --profile makes it a cache, which is replaced "
          "whenever it does not fit");
ABSL_FLAG(std::string, sla_classes, "interactive:20ms:0,batch:500ms:0",
          "comma-separated classes, each name:objective[:accuracy floor in basis points[:weight]]; the weight (1) says "
          "what a request counts for beside others when not all can be served; requests that name none belong to the "
          "class 'default', which may be listed too");
ABSL_FLAG(std::string, tenants, "",
          "comma-separated tenants, each name[:share[:accuracy floor in basis points]]; when not all can be served, "
          "a tenant above its share (1) yields first; requests that name none belong to the tenant 'default', "
          "which may be listed too");
ABSL_FLAG(std::string, page, "view",
          "the page at / of HTTP: off, view, or try, which also sends images that someone draws or chooses there");
ABSL_FLAG(int32_t, max_queue, 10000, "requests that may wait");
ABSL_FLAG(int64_t, max_queue_bytes, 0,
          "bytes that requests may hold, from reading a call to sending its answer; 0: half of the memory that this "
          "process may still use when it begins to serve");
ABSL_FLAG(int32_t, max_streams, 0, "calls at the same time on one connection; 0: by --max_queue_bytes");
ABSL_FLAG(int32_t, max_metadata_bytes, 8192, "headers of a gRPC call; beyond it a call ends as RESOURCE_EXHAUSTED");
ABSL_FLAG(int32_t, max_http_connections, 256, "connections of HTTP; one more takes the place of an idle one");
ABSL_FLAG(absl::Duration, read_timeout, absl::Seconds(10),
          "for a call's message to arrive, from when the server reads it; then the call ends as DEADLINE_EXCEEDED");
ABSL_FLAG(absl::Duration, handshake_timeout, absl::Seconds(20),
          "for a client of gRPC to begin TLS and HTTP/2; then it is disconnected");
ABSL_FLAG(absl::Duration, min_ping_interval, absl::Seconds(5), "clients that ping more often are disconnected");
ABSL_FLAG(absl::Duration, keepalive_time, absl::ZeroDuration(),
          "ping clients that have been silent for so long; 0: never");
ABSL_FLAG(absl::Duration, keepalive_timeout, absl::Seconds(20), "disconnect clients that do not answer that within");
ABSL_FLAG(absl::Duration, max_connection_idle, absl::ZeroDuration(), "close connections without calls after; 0: never");
ABSL_FLAG(absl::Duration, max_connection_age, absl::ZeroDuration(),
          "close connections after, so that clients look for other servers too; 0: never");
ABSL_FLAG(bool, admin, false,
          "offer what changes the server: load and unload of versions, settings of traces and of the log");
ABSL_FLAG(std::string, trace_file, "", "file that traces of requests are appended to; empty: none can be turned on");
ABSL_FLAG(absl::Duration, drain_delay, absl::Seconds(5), "after SIGTERM, how long to accept requests while not ready");
ABSL_FLAG(absl::Duration, drain_timeout, absl::Seconds(20), "then, how long to finish what was accepted");

namespace anybit::server {
namespace {

// What the printed client command classifies: the dataset that the default artifact was trained for.
constexpr char kExample[] =
    "classify --first 10 --labels /usr/share/datasets/fashion-mnist/t10k-labels-idx1-ubyte.gz "
    "/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz";

std::string Version(const GpuBackend* gpus) {
  std::string kernels;
  for (const model::KernelTable* table : model::SupportedKernels()) {
    absl::StrAppend(&kernels, kernels.empty() ? "" : ", ", table->name);
  }
  return absl::StrCat("anybit-server ", kVersion, "\ncommit ", kCommit, "\nkernels that this processor runs: ", kernels,
                      gpus == nullptr ? "" : absl::StrCat("\nGPUs that it has kernels for: ", gpus->Architectures()));
}

// A GPU's slots are streams: while one computes, the copies of the other run. Their threads only wait.
constexpr int kGpuSlots = 2;

SlotLayout GpuLayout() {
  const int slots = absl::GetFlag(FLAGS_slots) == 0 ? kGpuSlots : absl::GetFlag(FLAGS_slots);
  return {.slots = slots, .threads_per_slot = 1, .pin = false};
}

absl::StatusOr<TlsVersion> LeastTlsVersion() {
  const std::string text = absl::GetFlag(FLAGS_tls_min_version);
  if (text == "1.2") return TlsVersion::kTls12;
  if (text == "1.3") return TlsVersion::kTls13;
  return absl::InvalidArgumentError(absl::StrCat("--tls_min_version is ", text, ", neither 1.2 nor 1.3"));
}

absl::StatusOr<int> UnixSocketMode() {
  const std::string text = absl::GetFlag(FLAGS_unix_socket_mode);
  int mode = 0;
  for (const char digit : text) {
    if (digit < '0' || digit > '7' || mode > 0777) mode = 01000;
    mode = 8 * mode + (digit - '0');
  }
  if (!text.empty() && mode >= 0 && mode <= 0777) return mode;
  return absl::InvalidArgumentError(absl::StrCat("--unix_socket_mode is ", text, ", not an octal number up to 0777"));
}

absl::StatusOr<ServerOptions> OptionsFromFlags() {
  const absl::StatusOr<TlsVersion> least_tls = LeastTlsVersion();
  if (!least_tls.ok()) return least_tls.status();
  const absl::StatusOr<int> unix_socket_mode = UnixSocketMode();
  if (!unix_socket_mode.ok()) return unix_socket_mode.status();
  const absl::StatusOr<PageMode> page = ParsePageMode(absl::GetFlag(FLAGS_page));
  if (!page.ok()) return page.status();
  absl::StatusOr<std::vector<SlaClass>> sla_classes = ParseSlaClasses(absl::GetFlag(FLAGS_sla_classes));
  if (!sla_classes.ok()) return sla_classes.status();
  absl::StatusOr<std::vector<Tenant>> tenants = ParseTenants(absl::GetFlag(FLAGS_tenants));
  if (!tenants.ok()) return tenants.status();
  const std::vector<Processor> processors = AllowedProcessors();
  const std::optional<double> quota = ReadControlGroupLimits().processors;
  const SlotLayout layout = ChooseSlotLayout(static_cast<int>(processors.size()), quota,
                                             {.slots = absl::GetFlag(FLAGS_slots),
                                              .threads_per_slot = absl::GetFlag(FLAGS_threads_per_slot),
                                              .pin = absl::GetFlag(FLAGS_pin)});
  const auto duration = [](const absl::Flag<absl::Duration>& flag) {
    return absl::ToChronoNanoseconds(absl::GetFlag(flag));
  };
  return ServerOptions{.artifact = absl::GetFlag(FLAGS_artifact),
                       .model_name = absl::GetFlag(FLAGS_model_name),
                       .model_version = absl::GetFlag(FLAGS_model_version),
                       .grpc_address = absl::GetFlag(FLAGS_grpc_address),
                       .http_address = absl::GetFlag(FLAGS_http_address),
                       .health_address = absl::GetFlag(FLAGS_health_address),
                       .unix_socket_mode = *unix_socket_mode,
                       .security = {.tls = {.certificate = absl::GetFlag(FLAGS_tls_certificate),
                                            .key = absl::GetFlag(FLAGS_tls_key),
                                            .client_authorities = absl::GetFlag(FLAGS_tls_client_authorities),
                                            .least_version = *least_tls},
                                    .token_file = absl::GetFlag(FLAGS_token_file),
                                    .reload_interval = duration(FLAGS_reload_interval)},
                       .policy = absl::GetFlag(FLAGS_policy),
                       .device = absl::GetFlag(FLAGS_device),
                       .device_memory = absl::GetFlag(FLAGS_device_memory),
                       .isa = absl::GetFlag(FLAGS_isa),
                       .panel_memory = absl::GetFlag(FLAGS_panel_memory),
                       .slots = layout.slots,
                       .threads_per_slot = layout.threads_per_slot,
                       .pin = layout.pin,
                       .processors = processors,
                       .processor_quota = quota,
                       .layout_reason = layout.reason,
                       .max_batch = absl::GetFlag(FLAGS_max_batch),
                       .profile = absl::GetFlag(FLAGS_profile),
                       .save_profile = absl::GetFlag(FLAGS_save_profile),
                       .sla_classes = *std::move(sla_classes),
                       .tenants = *std::move(tenants),
                       .max_queue = absl::GetFlag(FLAGS_max_queue),
                       .max_queue_bytes = absl::GetFlag(FLAGS_max_queue_bytes),
                       .connections = {.min_ping_interval = duration(FLAGS_min_ping_interval),
                                       .keepalive_time = duration(FLAGS_keepalive_time),
                                       .keepalive_timeout = duration(FLAGS_keepalive_timeout),
                                       .read_timeout = duration(FLAGS_read_timeout),
                                       .max_idle = duration(FLAGS_max_connection_idle),
                                       .max_age = duration(FLAGS_max_connection_age),
                                       .max_streams = absl::GetFlag(FLAGS_max_streams),
                                       .handshake_timeout = duration(FLAGS_handshake_timeout),
                                       .max_metadata_bytes = absl::GetFlag(FLAGS_max_metadata_bytes),
                                       .max_http = absl::GetFlag(FLAGS_max_http_connections)},
                       .page = *page,
                       .commit = kCommit,
                       .live_accuracy = absl::GetFlag(FLAGS_live_accuracy),
                       .triton_metrics = absl::GetFlag(FLAGS_triton_metrics),
                       .admin = absl::GetFlag(FLAGS_admin),
                       .trace_file = absl::GetFlag(FLAGS_trace_file),
                       .drain_delay = duration(FLAGS_drain_delay),
                       .drain_timeout = duration(FLAGS_drain_timeout)};
}

// The GPU, or null, and the CPU's kernels.
struct Hardware {
  GpuBackend* gpus = nullptr;
  int gpu = 0;
  const model::KernelTable* kernels = nullptr;
};

// As version `version`; 0: as that of the artifact.
absl::StatusOr<std::unique_ptr<model::AdaptiveNetwork>> LoadArtifact(const std::string& path, int64_t version,
                                                                     const ServerOptions& options,
                                                                     const Hardware& hardware) {
  absl::StatusOr<model::Artifact> artifact = model::ReadArtifact(path);
  if (!artifact.ok()) return artifact.status();
  if (!options.model_name.empty()) artifact->spec.set_name(options.model_name);
  if (version != 0) artifact->version = version;
  if (hardware.gpus != nullptr) {
    return hardware.gpus->Load(
        *std::move(artifact), hardware.gpu,
        {.slots = options.slots, .max_rows = options.max_batch, .memory_budget = int64_t{options.device_memory} << 20});
  }
  return model::PackedNetwork::Create(
      *std::move(artifact), *hardware.kernels,
      {.threads = options.threads_per_slot, .panel_budget = int64_t{options.panel_memory} << 20});
}

absl::StatusOr<EventLogOptions> LogOptionsFromFlags() {
  absl::StatusOr<LogFormat> format = ParseLogFormat(absl::GetFlag(FLAGS_log_format));
  if (!format.ok()) return format.status();
  absl::StatusOr<LogLevel> level = ParseLogLevel(absl::GetFlag(FLAGS_log_level));
  if (!level.ok()) return level.status();
  return EventLogOptions{.format = *format, .least = *level};
}

// Changes `options` to what a GPU needs where one is chosen.
absl::StatusOr<Hardware> ChooseHardware(GpuBackend* gpus, EventLog& log, ServerOptions& options) {
  const absl::StatusOr<DeviceRequest> request = ParseDevice(options.device);
  if (!request.ok()) return request.status();
  const absl::StatusOr<DeviceChoice> choice = ChooseDevice(*request, gpus);
  if (!choice.ok()) return choice.status();
  if (!choice->note.empty()) log.Say(LogLevel::kWarning, choice->note);
  if (choice->gpu.has_value()) {
    const SlotLayout layout = GpuLayout();
    options.slots = layout.slots;
    options.threads_per_slot = layout.threads_per_slot;
    options.pin = layout.pin;
    options.layout_reason =
        absl::StrCat(layout.slots, layout.slots == 1 ? " stream" : " streams", " on GPU ", *choice->gpu);
    options.processors.clear();  // the streams' threads wait, so they may be more than processors
    options.processor_quota.reset();
    return Hardware{.gpus = gpus, .gpu = *choice->gpu};
  }
  const absl::StatusOr<const model::KernelTable*> kernels = model::KernelsByName(options.isa);
  if (!kernels.ok()) return kernels.status();
  return Hardware{.kernels = *kernels};
}

int Main(int argc, char** argv) {
  const std::unique_ptr<GpuBackend> gpus = MakeGpuBackend();
  const absl::StatusOr<Configuration> configuration = ParseConfiguration(
      {.usage = "anybit-server --artifact=FILE [--FLAG=VALUE...]: serves one network at any of its bit-widths by gRPC",
       .about = "A flag may also stand in the environment, as ANYBIT_MAX_QUEUE=5, or in the file of --flagfile, as\n"
                "max_queue=5. The command line outranks the environment, which outranks the file.",
       .flags_file = "server/main.cc",
       .version = Version(gpus.get())},
      ArgumentsOf(argc, argv), Environment());
  if (configuration.ok() && !configuration->line.answer.empty()) {
    std::cout << configuration->line.answer << std::flush;
    return 0;
  }
  // gRPC locks some dozens of mutexes a call; watching their order costs several percent of it.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  const absl::Status usage = configuration.ok() ? ExpectNoWords(configuration->line) : configuration.status();
  absl::StatusOr<ServerOptions> options = usage.ok() ? OptionsFromFlags() : usage;
  const absl::StatusOr<EventLogOptions> log_options = options.ok() ? LogOptionsFromFlags() : options.status();
  if (!log_options.ok()) {
    std::cerr << "anybit-server: " << log_options.status().message() << std::endl;
    return 2;
  }
  EventLog log(
      *log_options, [](absl::string_view line) { std::cerr << line << std::flush; }, WallNow);
  const LibraryLog library_log(log);
  options->log = &log;
  const absl::StatusOr<Hardware> hardware = ChooseHardware(gpus.get(), log, *options);
  if (!hardware.ok()) {
    log.Say(LogLevel::kError, hardware.status().message());
    return absl::IsFailedPrecondition(hardware.status()) ? 1 : 2;
  }
  std::cout << "anybit-server " << kVersion << ", commit " << kCommit << "\n" << Describe(*configuration) << std::flush;
  return ServeUntilStopped(
      *options, [&] { return LoadArtifact(options->artifact, options->model_version, *options, *hardware); },
      ComposeServingThatLoads([&](const std::string& path) { return LoadArtifact(path, 0, *options, *hardware); }),
      kExample);
}

}  // namespace
}  // namespace anybit::server

int main(int argc, char** argv) { return anybit::server::Main(argc, argv); }
