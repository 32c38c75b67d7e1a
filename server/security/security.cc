#include "server/security/security.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/file.h"

namespace anybit::server {
namespace {

constexpr uint64_t kMaxTokenFileBytes = 1 << 20;

absl::StatusOr<std::string> ReadTokenFile(const std::string& path) {
  absl::StatusOr<std::string> text = ReadFile(path, kMaxTokenFileBytes);
  if (text.ok()) return text;
  return absl::Status(text.status().code(), absl::StrCat("--token_file: ", text.status().message()));
}

std::string ValidUntil(const TlsIdentity& identity) {
  return absl::FormatTime("%Y-%m-%d %H:%M UTC", absl::FromChrono(identity.expires), absl::UTCTimeZone());
}

}  // namespace

Security::Security(const SecurityOptions& options, std::vector<std::string> tenants, WallNow now, Report report)
    : options_(options), tenants_(std::move(tenants)), now_(std::move(now)), report_(std::move(report)) {}

absl::StatusOr<std::unique_ptr<Security>> Security::Load(const SecurityOptions& options,
                                                         std::vector<std::string> tenants, WallNow now, Report report) {
  std::unique_ptr<Security> security(new Security(options, std::move(tenants), std::move(now), std::move(report)));
  {
    absl::MutexLock lock(&security->reloading_);
    absl::Status status = security->ReloadTls(/*is_asked=*/true);
    status.Update(security->ReloadTokens(/*is_asked=*/true));
    if (!status.ok()) return status;
  }
  if (options.tls.is_on() || security->wants_tokens()) {
    security->watching_ = std::thread([watched = security.get()] { watched->Watch(); });
  }
  return security;
}

Security::~Security() {
  {
    absl::MutexLock lock(&mutex_);
    is_stopping_ = true;
  }
  if (watching_.joinable()) watching_.join();
}

absl::StatusOr<AccessTokens> Security::ParseTokens(absl::string_view text) const {
  absl::StatusOr<AccessTokens> tokens = AccessTokens::Parse(text, tenants_);
  if (tokens.ok()) return tokens;
  return absl::InvalidArgumentError(
      absl::StrCat("--token_file is ", options_.token_file, ": ", tokens.status().message()));
}

absl::Status Security::ReloadTls(bool is_asked) {
  if (!options_.tls.is_on()) return absl::OkStatus();
  absl::StatusOr<TlsIdentity> texts = ReadTlsFiles(options_.tls);
  if (!texts.ok()) return texts.status();
  if (*texts == read_tls_ && !is_asked) return absl::OkStatus();
  const bool is_first = read_tls_.key.empty();
  read_tls_ = *texts;
  absl::StatusOr<TlsIdentity> identity = CheckTlsIdentity(*std::move(texts), options_.tls, now_());
  if (!identity.ok()) return identity.status();
  const auto shared = std::make_shared<const TlsIdentity>(*std::move(identity));
  {
    absl::MutexLock lock(&mutex_);
    if (tls_ != nullptr && *tls_ == *shared) return absl::OkStatus();
    tls_ = shared;
  }
  if (!is_first) {
    report_(ReportKind::kNews, absl::StrCat("a new certificate is in force, valid until ", ValidUntil(*shared)));
  }
  return absl::OkStatus();
}

absl::Status Security::ReloadTokens(bool is_asked) {
  if (!wants_tokens()) return absl::OkStatus();
  absl::StatusOr<std::string> text = ReadTokenFile(options_.token_file);
  if (!text.ok()) return text.status();
  if (*text == read_tokens_ && !is_asked) return absl::OkStatus();
  const bool is_news = !read_tokens_.empty() && *text != read_tokens_;
  read_tokens_ = *std::move(text);
  absl::StatusOr<AccessTokens> tokens = ParseTokens(read_tokens_);
  if (!tokens.ok()) return tokens.status();
  const size_t count = tokens->size();
  {
    absl::MutexLock lock(&mutex_);
    tokens_ = std::make_shared<const AccessTokens>(*std::move(tokens));
  }
  if (is_news) report_(ReportKind::kNews, absl::StrCat("new access tokens are in force: ", count));
  return absl::OkStatus();
}

bool Security::Reload() { return ReloadAndReport(/*is_asked=*/true); }

bool Security::ReloadAndReport(bool is_asked) {
  absl::MutexLock lock(&reloading_);
  bool is_ok = true;
  for (const absl::Status& status : {ReloadTls(is_asked), ReloadTokens(is_asked)}) {
    if (status.ok()) continue;
    is_ok = false;
    const std::string line = absl::StrCat(status.message(), "; what was read before stays in force");
    if (line != reported_ || is_asked) report_(ReportKind::kFailure, line);
    reported_ = line;
  }
  return is_ok;
}

void Security::Watch() {
  const auto stops = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return is_stopping_; };
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      if (mutex_.AwaitWithTimeout(absl::Condition(&stops), absl::FromChrono(options_.reload_interval))) return;
    }
    ReloadAndReport(/*is_asked=*/false);
  }
}

std::shared_ptr<const TlsIdentity> Security::tls_identity() const {
  absl::MutexLock lock(&mutex_);
  return tls_;
}

absl::StatusOr<Caller> Security::Check(const Credentials& credentials) const {
  Caller caller;
  if (!options_.tls.client_authorities.empty()) {
    const bool is_tenant = std::find(tenants_.begin(), tenants_.end(), credentials.certificate_name) != tenants_.end();
    caller.tenant = is_tenant ? std::string(credentials.certificate_name) : tenants_.front();
  }
  if (!wants_tokens()) return caller;
  constexpr absl::string_view kScheme = "Bearer ";
  const absl::string_view header = absl::StripAsciiWhitespace(credentials.authorization);
  if (!absl::StartsWithIgnoreCase(header, kScheme)) {
    return absl::UnauthenticatedError("this server demands the header 'authorization: Bearer TOKEN'");
  }
  std::shared_ptr<const AccessTokens> tokens;
  {
    absl::MutexLock lock(&mutex_);
    tokens = tokens_;
  }
  std::optional<Caller> found = tokens->Find(absl::StripAsciiWhitespace(header.substr(kScheme.size())));
  if (!found.has_value()) return absl::UnauthenticatedError("the token is not valid");
  return *std::move(found);
}

}  // namespace anybit::server
