// What changes the server, or shows its settings, over HTTP: load and unload, settings of traces and logs, and the
// lists of shared memory, which are empty.
#ifndef ANYBIT_SERVER_REST_REST_ADMIN_H_
#define ANYBIT_SERVER_REST_REST_ADMIN_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "server/description_methods.h"
#include "server/http/http_server.h"
#include "server/model_repository.h"
#include "server/rest/rest_path.h"
#include "server/security/caller.h"

namespace anybit::server {

// Any thread.
class RestAdmin {
 public:
  // Both outlive the last call.
  RestAdmin(const DescriptionMethods& description, ModelRepository& repository)
      : description_(description), repository_(repository) {}

  // None if the path is for others. Does not block.
  std::optional<HttpAction> Route(const HttpHead& head, const RestPath& path, const Caller& caller);

 private:
  HttpAction RouteChange(const HttpHead& head, const RestPath& path, const Caller& caller, bool load);
  HttpAction RouteSettings(const HttpHead& head, const RestPath& path, const Caller& caller, bool trace);
  HttpAnswer TraceSettings(const Caller& caller, const std::string& model, const std::string& body) const;
  HttpAnswer LogSettings(const Caller& caller, const std::string& body) const;

  const DescriptionMethods& description_;
  ModelRepository& repository_;
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_REST_REST_ADMIN_H_
