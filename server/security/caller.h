// What a client that has proved who it is may do.
#ifndef ANYBIT_SERVER_SECURITY_CALLER_H_
#define ANYBIT_SERVER_SECURITY_CALLER_H_

#include <string>

#include "absl/status/status.h"
#include "proto/inference.pb.h"

namespace anybit::server {

struct Caller {
  std::string tenant;    // that its requests belong to; empty: the one that they name
  bool is_admin = true;  // may use the methods that change the server
};

// Makes `request` one of the caller's tenant. PermissionDenied if it names another one.
absl::Status BindTenant(const Caller& caller, inference::ModelInferRequest& request);

// PermissionDenied unless the caller may use the methods that change the server.
absl::Status CheckAdmin(const Caller& caller);

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_SECURITY_CALLER_H_
