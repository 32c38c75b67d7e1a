// Who may do what: the TLS identity and the access tokens in force, read again when their files change.
//
// A file that is wrong at the start is an error. Later, what was read last stays in force, and the cause is reported.
//
//   absl::StatusOr<std::unique_ptr<Security>> security = Security::Load(options, tenants, now, report);
//   absl::StatusOr<Caller> caller = (*security)->Check({.authorization = "Bearer 5b1c...e7"});
#ifndef ANYBIT_SERVER_SECURITY_SECURITY_H_
#define ANYBIT_SERVER_SECURITY_SECURITY_H_

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "server/security/access_tokens.h"
#include "server/security/caller.h"
#include "server/security/security_options.h"
#include "server/security/tls_files.h"

namespace anybit::server {

// What a client has shown.
struct Credentials {
  absl::string_view authorization;     // the header; "" if there is none
  absl::string_view certificate_name;  // the common name in its certificate, which TLS has verified
};

// Any thread.
class Security {
 public:
  using WallNow = std::function<std::chrono::system_clock::time_point()>;
  // A line for the operator: news, or why something stays as it was.
  enum class ReportKind { kNews, kFailure };
  using Report = std::function<void(ReportKind kind, const std::string& line)>;

  // `tenants`: the names that tokens and certificates may belong to, the first for certificates of other names. Errors
  // name flag and file.
  static absl::StatusOr<std::unique_ptr<Security>> Load(const SecurityOptions& options,
                                                        std::vector<std::string> tenants, WallNow now, Report report);
  ~Security();

  // Reads the files again at once. False if something stays as it was because its files are wrong, which is reported.
  bool Reload();

  // Null without TLS.
  std::shared_ptr<const TlsIdentity> tls_identity() const;
  const TlsOptions& tls() const { return options_.tls; }

  bool wants_tokens() const { return !options_.token_file.empty(); }

  // Whether Check looks at anything. If not, every client may do everything.
  bool is_on() const { return wants_tokens() || !options_.tls.client_authorities.empty(); }

  // Unauthenticated unless the client has shown what this server demands. The message tells nothing of what is known.
  absl::StatusOr<Caller> Check(const Credentials& credentials) const;

 private:
  Security(const SecurityOptions& options, std::vector<std::string> tenants, WallNow now, Report report);

  absl::StatusOr<AccessTokens> ParseTokens(absl::string_view text) const;
  absl::Status ReloadTls(bool is_asked) ABSL_EXCLUSIVE_LOCKS_REQUIRED(reloading_);
  absl::Status ReloadTokens(bool is_asked) ABSL_EXCLUSIVE_LOCKS_REQUIRED(reloading_);
  bool ReloadAndReport(bool is_asked);
  void Watch();

  const SecurityOptions options_;
  const std::vector<std::string> tenants_;
  const WallNow now_;
  const Report report_;

  absl::Mutex reloading_;  // held while files are read
  // As they were read last, right or wrong: what has not changed is not looked at again.
  TlsIdentity read_tls_ ABSL_GUARDED_BY(reloading_);
  std::string read_tokens_ ABSL_GUARDED_BY(reloading_);
  std::string reported_ ABSL_GUARDED_BY(reloading_);  // the last error; the same one is not reported again

  mutable absl::Mutex mutex_ ABSL_ACQUIRED_AFTER(reloading_);
  std::shared_ptr<const TlsIdentity> tls_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<const AccessTokens> tokens_ ABSL_GUARDED_BY(mutex_);
  bool is_stopping_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread watching_;
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_SECURITY_SECURITY_H_
