// What operators write: classes, tenants, addresses, tokens, certificates. Any text is refused with a reason, or means
// what it says.
#include <chrono>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/listening_sockets.h"
#include "server/options.h"
#include "server/security/access_tokens.h"
#include "server/security/tls_files.h"
#include "tests/fuzz/fuzz_target.h"

namespace {

using namespace anybit;  // NOLINT: a fuzz target has no other names

template <typename T>
bool Refused(const absl::StatusOr<T>& parsed) {
  Require(parsed.ok() || !parsed.status().message().empty(), "a refusal says why");
  return !parsed.ok();
}

void Classes(absl::string_view text) {
  const auto classes = server::ParseSlaClasses(text);
  if (Refused(classes)) return;
  Require(classes->front().name == "default", "the class of requests that name none comes first");
  for (const server::SlaClass& one : *classes) {
    Require(one.weight > 0 && one.objective >= Duration::zero(), "weights and objectives are in their ranges");
    Require(one.accuracy_floor_bp >= 0 && one.accuracy_floor_bp <= 10000, "so are floors");
  }
}

void Tenants(absl::string_view text) {
  const auto tenants = server::ParseTenants(text);
  if (Refused(tenants)) return;
  Require(tenants->front().name == "default" && tenants->size() <= 255, "there are at most 255, the default one first");
  for (const server::Tenant& one : *tenants) Require(one.share > 0, "shares are positive");
}

void Addresses(absl::string_view text) {
  const auto addresses = ParseAddresses(text);
  if (Refused(addresses)) return;
  for (const std::string& one : *addresses) {
    const bool is_unix = !UnixSocketPath(one).empty();
    Require(is_unix || ParseHostAndPort(one).ok(), "an address is a path or a host with a port");
  }
}

void Tokens(absl::string_view text) {
  const auto tokens = server::AccessTokens::Parse(text, {"default", "search"});
  if (Refused(tokens)) return;
  Require(tokens->size() > 0 && tokens->size() <= server::AccessTokens::kMaxTokens, "there are some, and not too many");
  Require(!tokens->Find("").has_value(), "no token is not a token");
}

void Certificates(absl::string_view text) {
  const server::TlsIdentity texts{.certificates = std::string(text), .key = std::string(text)};
  (void)Refused(server::CheckTlsIdentity(texts, {.certificate = "c", .key = "k"}, std::chrono::system_clock::now()));
}

}  // namespace

// The first byte says what the others are.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const absl::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 'c': Classes(text); break;
    case 't': Tenants(text); break;
    case 'a': Addresses(text); break;
    case 'k': Tokens(text); break;
    default: Certificates(text);
  }
  return 0;
}
