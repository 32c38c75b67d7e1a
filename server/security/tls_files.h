// The certificate, key and client authorities of TLS, read from PEM files and checked together.
//
// A pair that cannot serve (unreadable, mismatching, expired) is an error here, so that it never reaches a handshake.
#ifndef ANYBIT_SERVER_SECURITY_TLS_FILES_H_
#define ANYBIT_SERVER_SECURITY_TLS_FILES_H_

#include <chrono>

#include "absl/status/statusor.h"
#include "server/http/tls_identity.h"
#include "server/security/security_options.h"

namespace anybit::server {

// The texts of the files, unchecked. The errors of base/file.h, with the flag that named the file.
absl::StatusOr<TlsIdentity> ReadTlsFiles(const TlsOptions& files);

// InvalidArgument, naming flag and file, where a text holds no certificate or key, a key is encrypted or belongs to
// another certificate, or the server's certificate is not valid at `now`. Otherwise the identity with its expiry.
absl::StatusOr<TlsIdentity> CheckTlsIdentity(TlsIdentity texts, const TlsOptions& files,
                                             std::chrono::system_clock::time_point now);

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_SECURITY_TLS_FILES_H_
