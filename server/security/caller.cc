#include "server/security/caller.h"

#include "absl/strings/str_cat.h"

namespace anybit::server {

absl::Status BindTenant(const Caller& caller, inference::ModelInferRequest& request) {
  if (caller.tenant.empty()) return absl::OkStatus();
  inference::InferParameter& named = (*request.mutable_parameters())["tenant"];
  if (named.parameter_choice_case() == inference::InferParameter::PARAMETER_CHOICE_NOT_SET) {
    named.set_string_param(caller.tenant);
    return absl::OkStatus();
  }
  if (named.string_param() == caller.tenant) return absl::OkStatus();
  return absl::PermissionDeniedError(
      absl::StrCat("this client's requests belong to the tenant '", caller.tenant, "', and 'tenant' names another"));
}

absl::Status CheckAdmin(const Caller& caller) {
  if (caller.is_admin) return absl::OkStatus();
  return absl::PermissionDeniedError("this client's token does not permit to change the server: it is without 'admin'");
}

}  // namespace anybit::server
