#include "client/connection.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"

namespace anybit::client {
namespace {

constexpr char kForm[] = "HOST:PORT, such as 127.0.0.1:8001 or [::1]:8001";

// Numeric addresses: 127.0.0.0/8, ::1, the first as IPv4-mapped IPv6, and "any", which connects to this machine.
bool IsLoopbackNumber(const std::string& host) {
  in_addr v4;
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return v4.s_addr == INADDR_ANY || ntohl(v4.s_addr) >> 24 == 127;
  in6_addr v6;
  if (inet_pton(AF_INET6, host.c_str(), &v6) != 1) return false;
  return IN6_IS_ADDR_LOOPBACK(&v6) || IN6_IS_ADDR_UNSPECIFIED(&v6) ||
         (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
}

bool IsThisMachine(const std::string& host) {
  const std::string name = absl::AsciiStrToLower(absl::StripSuffix(host, "."));
  if (name == "localhost" || absl::EndsWith(name, ".localhost") || IsLoopbackNumber(host)) return true;
  char own[256] = {};
  return gethostname(own, sizeof own - 1) == 0 && name == absl::AsciiStrToLower(own);
}

// The host's addresses as numbers, or none where it is unknown.
std::vector<std::string> AddressesOf(const std::string& host) {
  std::vector<std::string> addresses;
  const addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return addresses;
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    char number[NI_MAXHOST];
    if (getnameinfo(each->ai_addr, each->ai_addrlen, number, sizeof number, nullptr, 0, NI_NUMERICHOST) == 0) {
      addresses.push_back(number);
    }
  }
  freeaddrinfo(found);
  return addresses;
}

// gRPC names the address that failed as "ipv4:127.0.0.1:9: " or "ipv6:%5B::1%5D:9: ".
struct FailedPeer {
  std::string host;
  std::string port;
  std::string reason;
};

FailedPeer PeerOf(const std::string& message) {
  const std::string text = absl::StrReplaceAll(message, {{"%5B", "["}, {"%5D", "]"}, {"%25", "%"}});
  FailedPeer peer{.reason = message};
  const size_t scheme = std::max(text.rfind("ipv4:") + 1, text.rfind("ipv6:") + 1);  // 0: neither
  if (scheme == 0) return peer;
  const size_t begin = scheme + 4;
  const size_t end = text.find(": ", begin);
  if (end == std::string::npos) return peer;
  const size_t colon = text.rfind(':', end - 1);
  if (colon == std::string::npos || colon < begin) return peer;
  const std::string host = text.substr(begin, colon - begin);
  peer.host = std::string(absl::StripSuffix(absl::StripPrefix(host, "["), "]"));
  peer.port = text.substr(colon + 1, end - colon - 1);
  peer.reason = text.substr(end + 2);
  return peer;
}

bool IsProxy(const FailedPeer& peer, const ServerAddress& address) {
  if (address.on_this_machine || peer.host.empty()) return false;
  if (peer.port != address.port) return true;
  const std::vector<std::string> own = AddressesOf(address.host);
  return std::find(own.begin(), own.end(), peer.host) == own.end();
}

// `message` is gRPC's, of a call that found no connection.
absl::Status Explain(const ServerAddress& address, const std::string& message) {
  const auto unavailable = [](const auto&... parts) { return absl::UnavailableError(absl::StrCat(parts...)); };
  if (absl::StartsWith(message, "DNS resolution failed")) {
    const size_t last = message.rfind(": ");
    return unavailable("unknown host '", address.host, "' in ", address.text, ": ",
                       last == std::string::npos ? message : message.substr(last + 2));
  }
  const FailedPeer peer = PeerOf(message);
  if (absl::StrContains(message, "HTTP proxy") || IsProxy(peer, address)) {
    return unavailable("cannot reach ", address.text, " through the proxy ", peer.host, ":", peer.port,
                       " (grpc_proxy, https_proxy or http_proxy in the environment): ", peer.reason,
                       "; no_proxy=", address.host, " goes around it");
  }
  if (absl::StrContains(message, "Connection refused")) {
    return unavailable("connection to ", address.text, " refused: no server listens there");
  }
  if (absl::StrContains(message, "Failed parsing HTTP/2") || absl::StrContains(message, "http1.x")) {
    return unavailable(address.text, " does not speak gRPC; perhaps it is the server's HTTP port (",
                       "anybit-server prints both addresses)");
  }
  if (absl::StrContains(message, "Socket closed")) {
    return unavailable(address.text, " closed the connection: it is no gRPC port, or one that wants TLS");
  }
  return unavailable("cannot reach ", address.text, ": ", peer.reason);
}

bool IsConnectionFailure(const std::string& message) {
  return absl::StartsWith(message, "failed to connect") || absl::StartsWith(message, "DNS resolution failed") ||
         absl::StrContains(message, "Socket closed");
}

}  // namespace

absl::StatusOr<ServerAddress> ParseServerAddress(const std::string& text) {
  const auto refuse = [&](const auto&... why) {
    return absl::InvalidArgumentError(absl::StrCat("server address '", text, "' ", why..., "; write ", kForm));
  };
  ServerAddress address{.text = text};
  if (absl::StartsWith(text, "unix:") || absl::StartsWith(text, "unix-abstract:")) {
    address.on_this_machine = true;
    return address;
  }
  std::string_view rest = text;
  for (const std::string_view scheme : {"dns:", "ipv4:", "ipv6:"}) {
    if (!rest.starts_with(scheme)) continue;
    rest.remove_prefix(scheme.size());
    // "dns://AUTHORITY/HOST:PORT"
    if (rest.starts_with("//")) rest.remove_prefix(std::min(rest.find('/', 2), rest.size() - 1) + 1);
    break;
  }
  if (rest.find("://") != std::string_view::npos) return refuse("is a URL");
  const size_t bracket = rest.find(']');
  const size_t colon = rest.find(':', rest.starts_with('[') && bracket != std::string_view::npos ? bracket : 0);
  if (colon == std::string_view::npos) return refuse("has no port");
  address.host = std::string(rest.substr(0, colon));
  address.port = std::string(rest.substr(colon + 1));
  if (address.port.find(':') != std::string::npos) return refuse("is IPv6 without brackets");
  if (address.host.starts_with('[')) address.host = address.host.substr(1, address.host.size() - 2);
  if (address.host.empty()) return refuse("has no host");
  uint32_t port;
  if (!absl::SimpleAtoi(address.port, &port) || port < 1 || port > 65535) {
    return refuse("has port '", address.port, "', not 1 to 65535");
  }
  address.on_this_machine = IsThisMachine(address.host);
  return address;
}

std::shared_ptr<grpc::Channel> OpenChannel(const ServerAddress& address) {
  grpc::ChannelArguments arguments;
  if (address.on_this_machine) arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // Otherwise channels to the same address share one connection.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(address.text, grpc::InsecureChannelCredentials(), arguments);
}

absl::Status ExplainFirstCall(const ServerAddress& address, const grpc::Status& failure,
                              std::chrono::milliseconds timeout) {
  switch (failure.error_code()) {
    case grpc::StatusCode::OK: return absl::OkStatus();
    case grpc::StatusCode::UNAVAILABLE:
      // Else it is a server's own word, such as that it is draining.
      if (!IsConnectionFailure(failure.error_message())) return absl::UnavailableError(failure.error_message());
      return Explain(address, failure.error_message());
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return absl::UnavailableError(
          absl::StrCat(address.text, " did not answer within ", timeout.count(),
                       " ms: another program may listen there, or packets are lost on the way"));
    case grpc::StatusCode::UNIMPLEMENTED:
      return absl::UnimplementedError(
          absl::StrCat(address.text, " does not offer the Open Inference Protocol: ", failure.error_message()));
    default:
      // The two enumerations have the same numbers.
      return absl::Status(static_cast<absl::StatusCode>(failure.error_code()), failure.error_message());
  }
}

}  // namespace anybit::client
