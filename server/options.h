// The operator's options, as values. Only main reads the flags.
#ifndef ANYBIT_SERVER_OPTIONS_H_
#define ANYBIT_SERVER_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/time.h"
#include "server/page/page_mode.h"
#include "server/processors.h"
#include "server/security/security_options.h"
#include "server/sla_class.h"
#include "server/tenant.h"

namespace anybit::server {

class EventLog;

// What clients may do with their connections. A duration of 0: no limit.
struct ConnectionOptions {
  Duration min_ping_interval = std::chrono::seconds(5);   // pings that come sooner end the connection
  Duration keepalive_time{};                              // without traffic, until the server pings
  Duration keepalive_timeout = std::chrono::seconds(20);  // for the answer to that
  Duration read_timeout = std::chrono::seconds(10);       // for a call's message, from when the server reads it
  Duration max_idle{};                                    // without calls
  Duration max_age{};                                     // then calls end within the drain timeout
  int max_streams = 0;                                    // calls at the same time on one; 0: by the memory limit
  Duration handshake_timeout = std::chrono::seconds(20);  // for a client to begin HTTP/2, in TLS or without
  int max_metadata_bytes = 8 * 1024;                      // of the headers of a call
  int max_http = 256;                                     // connections of HTTP
};

struct ServerOptions {
  std::string artifact;                         // path of the file that holds the network
  std::string model_name;                       // in place of the artifact's; empty: that
  int64_t model_version = 0;                    // in place of the first artifact's; 0: that
  std::string grpc_address = "127.0.0.1:8001";  // a list of base/listening_sockets.h; port 0: any free one
  std::string http_address = "127.0.0.1:8000";  // likewise; empty: no HTTP
  std::string health_address;                   // likewise, for probes without TLS and tokens; empty: none
  int unix_socket_mode = 0660;
  SecurityOptions security;
  std::string policy = "anybit";          // a name of scheduler/policies/registry.h
  std::string device = "auto";            // auto, cpu or cuda:N
  int device_memory = 0;                  // MiB of a GPU that the network may take; 0: what is free
  std::string isa = "auto";               // of the kernels: a name of model/kernels/cpu/instruction_set.h
  int panel_memory = 1024;                // MiB of panels that the network keeps
  int slots = 1;                          // batches that run at the same time
  int threads_per_slot = 1;               // that share the rows of a batch
  bool pin = true;                        // keep each slot on processors of its own
  std::vector<Processor> processors;      // that this process may use; empty: not known
  std::optional<double> processor_quota;  // processor time per time; none: no limit
  std::string layout_reason;              // why so many slots and threads, for people; may be empty
  int max_batch = 64;                     // rows
  std::string profile;                    // file to read latencies and kernel choices from; empty: measured
  std::string save_profile;               // file to write them to; empty: nowhere; `profile` itself: a cache
  std::vector<SlaClass> sla_classes = {{.name = "default"}};  // the first is that of requests that name none
  std::vector<Tenant> tenants = {{.name = "default"}};        // likewise
  int max_queue = 10000;                                      // requests
  int64_t max_queue_bytes = 0;  // that requests hold; 0: half of the memory left when it serves
  ConnectionOptions connections;
  PageMode page = PageMode::kView;
  std::string commit = "unknown";                     // that the program was built from
  double live_accuracy = 0;                           // part of a processor for it; 0: none (LiveAccuracy)
  bool triton_metrics = false;                        // Triton's names beside ours in /metrics
  EventLog* log = nullptr;                            // outlives the server; null: events are not logged
  bool admin = false;                                 // offer what changes the server: load, unload, settings
  std::string trace_file;                             // that traces of requests are appended to; empty: there are none
  Duration drain_delay = std::chrono::seconds(5);     // from not ready to not accepting
  Duration drain_timeout = std::chrono::seconds(20);  // for what then still waits or runs
};

// InvalidArgument, naming flag, value and limit, unless every value is one the server can start with. What depends on
// the artifact (floors, policies for a point) or the processor (isa) is checked when that is known. Where the
// processors are not known, any number of threads is valid.
absl::Status ValidateOptions(const ServerOptions& options);

// Comma-separated classes, each "name:objective[:floor[:weight]]": the objective as a duration ("20ms", "1.5s", "0" for
// none), the floor in basis points of accuracy, the weight as a positive number. A class "default" without objective is
// put first unless one of that name is listed, which then comes first.
absl::StatusOr<std::vector<SlaClass>> ParseSlaClasses(absl::string_view text);

// Comma-separated tenants, each "name[:share[:floor]]": the share as a positive number, the floor in basis points of
// accuracy. A tenant "default" of share 1 comes first as the class "default" does.
absl::StatusOr<std::vector<Tenant>> ParseTenants(absl::string_view text);

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_OPTIONS_H_
