// Paths of the protocol's REST form, such as /v2/models/M/versions/1/infer, taken apart.
#ifndef ANYBIT_SERVER_REST_REST_PATH_H_
#define ANYBIT_SERVER_REST_REST_PATH_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace anybit::server {

struct RestPath {
  // The path without what a client chose: "/v2/models/*/infer". A version leaves no trace in it.
  std::string pattern;
  std::string model;
  std::string version;  // "" for the newest

  friend bool operator==(const RestPath&, const RestPath&) = default;
};

// `path` begins with "/v2". Names may be percent-encoded (RFC 3986 §2.1). InvalidArgument for an escape that is none.
absl::StatusOr<RestPath> ParseRestPath(absl::string_view path);

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_REST_REST_PATH_H_
