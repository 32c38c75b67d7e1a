// What clients say of versions: a request's model, version and id, and the parameters of a load. A request gets the
// version that it names, or a refusal that fits a gRPC header; no load reaches a file outside the artifact's folder.
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "proto/inference.pb.h"
#include "server/load_parameters.h"
#include "server/served_versions.h"
#include "server/testing/idle_version.h"
#include "tests/fuzz/fuzz_target.h"

namespace {

using namespace anybit;  // NOLINT: a fuzz target has no other names

// gRPC's default limit of all metadata of a call is 8 KiB; a message shares it with the call's other headers.
constexpr size_t kMaxMessageBytes = 4096;

template <typename T>
bool Refused(const absl::StatusOr<T>& result) {
  if (result.ok()) return false;
  Require(!result.status().message().empty(), "a refusal says why");
  Require(result.status().message().size() <= kMaxMessageBytes, "a refusal fits a header");
  Require(absl::IsNotFound(result.status()) || absl::IsInvalidArgument(result.status()), "it is the client's fault");
  return true;
}

// Lines: model, version, id.
void Choose(int share_bp, absl::string_view text) {
  std::vector<std::string> lines = absl::StrSplit(text, absl::MaxSplits('\n', 2));
  lines.resize(3);
  const std::string &model = lines[0], &version = lines[1], &id = lines[2];
  const auto stable = std::make_shared<server::testing::IdleVersion>(7);
  const auto canary = std::make_shared<server::testing::IdleVersion>(8);
  server::ServedVersions versions("sums");
  Require(Refused(versions.Choose(model, version, id)), "where nothing is served there is nothing to choose");
  (void)versions.Set({.stable = stable, .canary = canary, .canary_share_bp = share_bp});
  const auto chosen = versions.Choose(model, version, id);
  const auto described = versions.Find(model, version);
  Require(chosen.ok() == described.ok(), "what can be described can be asked");
  if (Refused(chosen)) return;
  Require(model == "sums", "another model is not served");
  const auto is = [&](const auto& one) { return *chosen == one; };
  Require(is(stable) || is(canary), "the choice is one of two");
  if (version == "stable" || version == "7") Require(is(stable), "the stable version has its names");
  if (version == "canary" || version == "8") Require(is(canary), "the canary has its names");
  if (!version.empty()) Require(*chosen == *described, "a name stands for one version");
  if (version.empty() && share_bp == 0) Require(is(stable), "a canary without a share gets nothing");
  if (version.empty() && share_bp == 10000) Require(is(canary), "one with all gets all");
  if (!id.empty()) Require(*chosen == *versions.Choose(model, version, id), "an id keeps its version");
}

void Load(absl::string_view text) {
  inference::RepositoryModelLoadRequest request;
  if (!request.ParseFromArray(text.data(), static_cast<int>(text.size()))) return;
  const absl::StatusOr<server::LoadParameters> wanted = server::ReadLoadParameters(request);
  if (Refused(wanted)) return;
  Require(wanted->is_canary ? wanted->share_bp >= 1 && wanted->share_bp <= 10000 : wanted->share_bp == 0,
          "a canary has a share, and nothing else has");
  const absl::StatusOr<std::string> path = server::FindArtifact("/etc/passwd", wanted->file);
  if (!Refused(path)) Require(absl::StartsWith(*path, "/etc/"), "the file is in the artifact's folder");
}

}  // namespace

// The first byte says what the others are; of a choice, the next two are the canary's share.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 3) return 0;
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  if (data[0] == 'l') {
    Load(text.substr(1));
  } else {
    Choose((256 * data[1] + data[2]) % 10001, text.substr(3));
  }
  return 0;
}
