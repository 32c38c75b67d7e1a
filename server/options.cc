#include "server/options.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/listening_sockets.h"
#include "model/format/network_name.h"
#include "server/device_request.h"
#include "server/shown_text.h"

namespace anybit::server {
namespace {

// Limits far above what is useful, below what overflows or exhausts memory by mistake.
constexpr int kMaxSlots = 256;
constexpr int kMaxThreadsPerSlot = 64;     // the engine's limit
constexpr int kMaxDeviceMemory = 1 << 20;  // MiB
constexpr int kMaxPanelMemory = 1 << 20;   // MiB
constexpr int kMaxBatch = 4096;
constexpr int kMaxQueue = 10'000'000;
constexpr int kMaxStreams = 10'000'000;
constexpr size_t kMaxSlaClasses = 64;
constexpr size_t kMaxTenants = 255;
constexpr double kLeastWeight = 1e-6;  // of a class, and least share of a tenant
constexpr double kMostWeight = 1e6;
constexpr auto kMaxDuration = std::chrono::hours(24);
constexpr Duration kLeastReloadInterval = std::chrono::milliseconds(10);
constexpr int kLeastMetadataBytes = 1024;  // gRPC's own headers take some hundred
constexpr int kMaxMetadataBytes = 1 << 20;
constexpr int kMaxHttpConnections = 100'000;

constexpr absl::string_view kDefaultName = "default";

absl::Status CheckRange(absl::string_view flag, int value, int low, int high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("--", flag, " is ", value, ", not from ", low, " to ", high));
}

absl::Status CheckDuration(absl::string_view flag, Duration value) {
  if (value >= Duration::zero() && value <= kMaxDuration) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("--", flag, " is ", ToSeconds(value), " s, not from 0 to 24 h"));
}

absl::Status CheckAddress(absl::string_view flag, absl::string_view address) {
  const absl::Status status = ParseAddresses(address).status();
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat("--", flag, " is ", status.message()));
}

absl::Status CheckSecurity(const SecurityOptions& security) {
  const TlsOptions& tls = security.tls;
  const auto missing = [](absl::string_view flag, absl::string_view other) {
    return absl::InvalidArgumentError(absl::StrCat("--", flag, " is missing, which --", other, " needs"));
  };
  if (tls.is_on() && tls.key.empty()) return missing("tls_key", "tls_certificate");
  if (!tls.is_on() && !tls.key.empty()) return missing("tls_certificate", "tls_key");
  if (!tls.is_on() && !tls.client_authorities.empty()) return missing("tls_certificate", "tls_client_authorities");
  if (security.reload_interval < kLeastReloadInterval) {
    return absl::InvalidArgumentError(
        absl::StrCat("--reload_interval is ", ToSeconds(security.reload_interval), " s, less than 0.01 s"));
  }
  return CheckDuration("reload_interval", security.reload_interval);
}

// "" stands for the artifact's own name.
absl::Status CheckModelName(absl::string_view name) {
  if (name.empty() || model::IsNetworkName(name)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("--model_name is ", ShownText(name), ", not 1 to ",
                                                 model::kMaxNameBytes, " characters of ",
                                                 model::kNetworkNameCharacters));
}

// Threads that wait for each other's processor make every latency of the profile wrong.
absl::Status CheckThreads(const ServerOptions& options) {
  const int64_t threads = int64_t{options.slots} * options.threads_per_slot;
  const auto limit = static_cast<int64_t>(options.processors.size());
  const auto refusal = [&](const std::string& more_than_what) {
    return absl::InvalidArgumentError(absl::StrCat("--slots ", options.slots, " times --threads_per_slot ",
                                                   options.threads_per_slot, " is ", threads,
                                                   " threads, more than the ", more_than_what));
  };
  if (limit != 0 && threads > limit) {
    return refusal(absl::StrCat(limit, limit == 1 ? " processor" : " processors", " that this process may use"));
  }
  if (options.processor_quota.has_value() && static_cast<double>(threads) > std::ceil(*options.processor_quota)) {
    return refusal(absl::StrCat("quota of ", *options.processor_quota, " processors of this process's control group"));
  }
  return absl::OkStatus();
}

absl::Status CheckConnections(const ConnectionOptions& connections) {
  absl::Status status = CheckDuration("min_ping_interval", connections.min_ping_interval);
  status.Update(CheckDuration("keepalive_time", connections.keepalive_time));
  status.Update(CheckDuration("keepalive_timeout", connections.keepalive_timeout));
  if (connections.read_timeout <= Duration::zero()) {
    status.Update(absl::InvalidArgumentError(
        absl::StrCat("--read_timeout is ", ToSeconds(connections.read_timeout), " s, not above 0")));
  }
  status.Update(CheckDuration("read_timeout", connections.read_timeout));
  if (connections.handshake_timeout <= Duration::zero()) {
    status.Update(absl::InvalidArgumentError(
        absl::StrCat("--handshake_timeout is ", ToSeconds(connections.handshake_timeout), " s, not above 0")));
  }
  status.Update(CheckDuration("handshake_timeout", connections.handshake_timeout));
  status.Update(CheckDuration("max_connection_idle", connections.max_idle));
  status.Update(CheckDuration("max_connection_age", connections.max_age));
  status.Update(CheckRange("max_streams", connections.max_streams, 0, kMaxStreams));
  status.Update(
      CheckRange("max_metadata_bytes", connections.max_metadata_bytes, kLeastMetadataBytes, kMaxMetadataBytes));
  status.Update(CheckRange("max_http_connections", connections.max_http, 1, kMaxHttpConnections));
  return status;
}

// ---- Lists of named things: SLA classes and tenants.

constexpr absl::string_view kNameRule = "a name has 1 to 64 characters from a-z, 0-9, _ and -";
constexpr absl::string_view kFloorRule = "the accuracy floor is not a whole number of basis points from 0 to 10000";

bool IsName(absl::string_view name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

bool ParseFloor(absl::string_view text, int* floor_bp) {
  return absl::SimpleAtoi(text, floor_bp) && *floor_bp >= 0 && *floor_bp <= 10000;
}

bool ParseWeight(absl::string_view text, double* weight) {
  return absl::SimpleAtod(text, weight) && *weight >= kLeastWeight && *weight <= kMostWeight;
}

std::string WeightRule(absl::string_view what) {
  return absl::StrCat("the ", what, " is not a number from ", kLeastWeight, " to ", kMostWeight);
}

absl::Status BadItem(absl::string_view flag, absl::string_view text, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("--", flag, " has '", text, "': ", what));
}

absl::StatusOr<SlaClass> ParseSlaClass(absl::string_view text) {
  const std::vector<absl::string_view> fields = absl::StrSplit(text, ':');
  const auto bad = [&](absl::string_view what) { return BadItem("sla_classes", text, what); };
  if (fields.size() < 2 || fields.size() > 4) return bad("not name:objective[:floor[:weight]]");
  SlaClass sla_class{.name = std::string(fields[0])};
  if (!IsName(sla_class.name)) return bad(kNameRule);
  absl::Duration objective;
  if (!absl::ParseDuration(fields[1], &objective) || objective < absl::ZeroDuration() ||
      objective > absl::FromChrono(kMaxDuration)) {
    return bad("the objective is not a duration from 0 to 24h, such as 20ms");
  }
  sla_class.objective = absl::ToChronoNanoseconds(objective);
  if (fields.size() > 2 && !ParseFloor(fields[2], &sla_class.accuracy_floor_bp)) return bad(kFloorRule);
  if (fields.size() > 3 && !ParseWeight(fields[3], &sla_class.weight)) return bad(WeightRule("weight"));
  return sla_class;
}

absl::StatusOr<Tenant> ParseTenant(absl::string_view text) {
  const std::vector<absl::string_view> fields = absl::StrSplit(text, ':');
  const auto bad = [&](absl::string_view what) { return BadItem("tenants", text, what); };
  if (fields.size() > 3) return bad("not name[:share[:floor]]");
  Tenant tenant{.name = std::string(fields[0])};
  if (!IsName(tenant.name)) return bad(kNameRule);
  if (fields.size() > 1 && !ParseWeight(fields[1], &tenant.share)) return bad(WeightRule("share"));
  if (fields.size() > 2 && !ParseFloor(fields[2], &tenant.accuracy_floor_bp)) return bad(kFloorRule);
  return tenant;
}

// Comma-separated items of different names, at most `most`; first one named "default", listed or not.
template <typename Item>
absl::StatusOr<std::vector<Item>> ParseItems(absl::string_view flag, size_t most, absl::string_view text,
                                             absl::FunctionRef<absl::StatusOr<Item>(absl::string_view)> parse) {
  std::vector<Item> items = {{.name = std::string(kDefaultName)}};
  bool default_listed = false;
  for (absl::string_view field : absl::StrSplit(text, ',', absl::SkipEmpty())) {
    absl::StatusOr<Item> parsed = parse(field);
    if (!parsed.ok()) return parsed.status();
    const bool is_default = parsed->name == kDefaultName;
    const bool repeated =
        std::any_of(items.begin() + 1, items.end(), [&](const Item& other) { return other.name == parsed->name; });
    if (repeated || (is_default && default_listed)) {
      return absl::InvalidArgumentError(absl::StrCat("--", flag, " has '", parsed->name, "' twice"));
    }
    if (is_default) {
      default_listed = true;
      items[0] = *std::move(parsed);
    } else {
      items.push_back(*std::move(parsed));
    }
  }
  if (items.size() > most) {
    return absl::InvalidArgumentError(
        absl::StrCat("--", flag, " has ", items.size(), " names with 'default', more than ", most));
  }
  return items;
}

}  // namespace

absl::Status ValidateOptions(const ServerOptions& options) {
  if (options.artifact.empty()) return absl::InvalidArgumentError("--artifact is missing: which network to serve");
  absl::Status status = CheckModelName(options.model_name);
  if (options.model_version < 0) {
    status.Update(absl::InvalidArgumentError(
        absl::StrCat("--model_version is ", options.model_version, ", not a number above 0, or 0 for the artifact's")));
  }
  status.Update(CheckAddress("grpc_address", options.grpc_address));
  if (!options.http_address.empty()) status.Update(CheckAddress("http_address", options.http_address));
  if (!options.health_address.empty()) status.Update(CheckAddress("health_address", options.health_address));
  status.Update(CheckRange("unix_socket_mode", options.unix_socket_mode, 0, 0777));
  status.Update(CheckSecurity(options.security));
  status.Update(CheckRange("slots", options.slots, 1, kMaxSlots));
  status.Update(CheckRange("threads_per_slot", options.threads_per_slot, 1, kMaxThreadsPerSlot));
  status.Update(CheckThreads(options));
  status.Update(ParseDevice(options.device).status());
  status.Update(CheckRange("device_memory", options.device_memory, 0, kMaxDeviceMemory));
  status.Update(CheckRange("panel_memory", options.panel_memory, 0, kMaxPanelMemory));
  status.Update(CheckRange("max_batch", options.max_batch, 1, kMaxBatch));
  status.Update(CheckRange("max_queue", options.max_queue, 1, kMaxQueue));
  if (options.max_queue_bytes < 0) {
    status.Update(absl::InvalidArgumentError(
        absl::StrCat("--max_queue_bytes is ", options.max_queue_bytes, ", not a number of bytes, or 0 to choose it")));
  }
  if (!(options.live_accuracy >= 0 && options.live_accuracy <= 1)) {
    status.Update(absl::InvalidArgumentError(
        absl::StrCat("--live_accuracy is ", options.live_accuracy, ", not a part of a processor from 0 to 1")));
  }
  status.Update(CheckConnections(options.connections));
  status.Update(CheckDuration("drain_delay", options.drain_delay));
  status.Update(CheckDuration("drain_timeout", options.drain_timeout));
  return status;
}

absl::StatusOr<std::vector<SlaClass>> ParseSlaClasses(absl::string_view text) {
  return ParseItems<SlaClass>("sla_classes", kMaxSlaClasses, text, ParseSlaClass);
}

absl::StatusOr<std::vector<Tenant>> ParseTenants(absl::string_view text) {
  return ParseItems<Tenant>("tenants", kMaxTenants, text, ParseTenant);
}

}  // namespace anybit::server
