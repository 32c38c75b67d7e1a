// The tokens that clients may present, and what each of them allows.
//
// A file of lines "TOKEN [tenant=NAME] [admin]"; "#" begins a comment. Requests with the token belong to the tenant,
// "default" if none is named; "*" lets the request name it. A token with "admin" may change the server.
//
//   absl::StatusOr<AccessTokens> tokens = AccessTokens::Parse("5b1c...e7 tenant=search\n", {"default", "search"});
//   absl::StatusOr<Caller> caller = tokens->Find("5b1c...e7");
#ifndef ANYBIT_SERVER_SECURITY_ACCESS_TOKENS_H_
#define ANYBIT_SERVER_SECURITY_ACCESS_TOKENS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/security/caller.h"

namespace anybit::server {

class AccessTokens {
 public:
  // A token is long enough not to be guessed.
  static constexpr size_t kMinTokenBytes = 16;
  static constexpr size_t kMaxTokenBytes = 512;
  static constexpr size_t kMaxTokens = 1000;

  // InvalidArgument, naming the line but never the token, for anything else than the format above, a token twice, a
  // tenant that is not one of `tenants`, or no token at all.
  static absl::StatusOr<AccessTokens> Parse(absl::string_view text, const std::vector<std::string>& tenants);

  // None for a token that is not known. The time depends on the number of tokens and the length of `token` only.
  std::optional<Caller> Find(absl::string_view token) const;

  size_t size() const { return entries_.size(); }

 private:
  // Digests have one length, so that comparing them tells nothing about the tokens'.
  using Digest = std::array<uint8_t, 32>;
  struct Entry {
    Digest digest;
    Caller caller;
  };

  static Digest DigestOf(absl::string_view token);
  absl::Status AddLine(absl::string_view line, const std::vector<std::string>& tenants);

  std::vector<Entry> entries_;
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_SECURITY_ACCESS_TOKENS_H_
