#include "server/security/access_tokens.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace anybit::server {

AccessTokens::Digest AccessTokens::DigestOf(absl::string_view token) {
  Digest digest;
  SHA256(reinterpret_cast<const unsigned char*>(token.data()), token.size(), digest.data());
  return digest;
}

absl::StatusOr<AccessTokens> AccessTokens::Parse(absl::string_view text, const std::vector<std::string>& tenants) {
  AccessTokens tokens;
  int number = 0;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    const absl::Status added = tokens.AddLine(line.substr(0, line.find('#')), tenants);
    if (!added.ok()) return absl::Status(added.code(), absl::StrCat("line ", number, ": ", added.message()));
  }
  if (tokens.entries_.empty()) return absl::InvalidArgumentError("there is no token");
  return tokens;
}

absl::Status AccessTokens::AddLine(absl::string_view line, const std::vector<std::string>& tenants) {
  const std::vector<absl::string_view> words = absl::StrSplit(line, absl::ByAnyChar(" \t\r"), absl::SkipEmpty());
  if (words.empty()) return absl::OkStatus();
  const absl::string_view token = words[0];
  const bool is_text = std::all_of(token.begin(), token.end(), absl::ascii_isgraph);
  if (token.size() < kMinTokenBytes || token.size() > kMaxTokenBytes || !is_text) {
    return absl::InvalidArgumentError(absl::StrCat("a token has ", kMinTokenBytes, " to ", kMaxTokenBytes,
                                                   " characters of ASCII, this one has ", token.size(), " bytes"));
  }
  Entry entry{.digest = DigestOf(token), .caller = {.tenant = "default", .is_admin = false}};
  for (const absl::string_view word : absl::MakeConstSpan(words).subspan(1)) {
    constexpr absl::string_view kTenant = "tenant=";
    if (word == "admin") {
      entry.caller.is_admin = true;
    } else if (word == "tenant=*") {
      entry.caller.tenant.clear();
    } else if (word.substr(0, kTenant.size()) == kTenant) {
      entry.caller.tenant = std::string(word.substr(kTenant.size()));
      if (std::find(tenants.begin(), tenants.end(), entry.caller.tenant) == tenants.end()) {
        return absl::InvalidArgumentError("the tenant is none of --tenants");
      }
    } else {
      return absl::InvalidArgumentError("behind a token may stand 'tenant=NAME' and 'admin'");
    }
  }
  if (Find(token).has_value()) return absl::InvalidArgumentError("this token stands in a line before");
  if (entries_.size() == kMaxTokens) {
    return absl::InvalidArgumentError(absl::StrCat("there are more than ", kMaxTokens, " tokens"));
  }
  entries_.push_back(std::move(entry));
  return absl::OkStatus();
}

std::optional<Caller> AccessTokens::Find(absl::string_view token) const {
  const Digest digest = DigestOf(token);
  const Entry* found = nullptr;
  for (const Entry& entry : entries_) {  // all of them, whichever it is
    if (CRYPTO_memcmp(entry.digest.data(), digest.data(), digest.size()) == 0) found = &entry;
  }
  if (found == nullptr) return std::nullopt;
  return found->caller;
}

}  // namespace anybit::server
