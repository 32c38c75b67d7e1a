#include "metrics/exposer.h"

#include <civetweb.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace anybit {
namespace {

// The library's own grammar is wider (lists of ports, TLS, redirects); none of that is offered here.
absl::Status CheckAddress(const std::string& address) {
  const auto colon = address.rfind(':');
  int port = -1;
  const bool host_ok = colon != std::string::npos && colon > 0 && address.find(',') == std::string::npos &&
                       address.find(' ') == std::string::npos;
  if (!host_ok || !absl::ascii_isdigit(address.back()) || !absl::SimpleAtoi(address.substr(colon + 1), &port) ||
      port < 0 || port > 65535) {
    return absl::InvalidArgumentError(
        absl::StrCat("HTTP address '", address, "' is not host:port with a port from 0 to 65535"));
  }
  return absl::OkStatus();
}

// Answers and returns the HTTP status, which tells the library that the request is done with.
int Answer(mg_connection* connection, int code, const char* reason, const char* type, const std::string& body) {
  mg_printf(connection,
            "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nCache-Control: no-store\r\n"
            "Connection: close\r\n\r\n",
            code, reason, type, body.size());
  // No body for HEAD, whose answer is the header of GET's.
  if (std::string_view(mg_get_request_info(connection)->request_method) != "HEAD") {
    mg_write(connection, body.data(), body.size());
  }
  return code;
}

bool IsRead(mg_connection* connection) {
  const std::string_view method = mg_get_request_info(connection)->request_method;
  return method == "GET" || method == "HEAD";
}

int RefuseMethod(mg_connection* connection) {
  return Answer(connection, 405, "Method Not Allowed", "text/plain", "only GET and HEAD are answered\n");
}

}  // namespace

absl::StatusOr<std::unique_ptr<Exposer>> Exposer::Start(const std::string& address, Pages pages) {
  if (absl::Status status = CheckAddress(address); !status.ok()) return status;
  // Two threads: a scraper that reads slowly must not hold up a probe. Both time-outs bound what an idle client holds.
  const char* options[] = {"listening_ports",    address.c_str(), "num_threads", "2",
                           "request_timeout_ms", "5000",          "linger_timeout_ms", "1000",
                           nullptr};
  std::unique_ptr<Exposer> exposer(new Exposer(std::move(pages)));
  const mg_callbacks callbacks{};
  mg_init_data init{.callbacks = &callbacks, .user_data = nullptr, .configuration_options = options};
  char text[256] = "";
  unsigned code = 0;
  mg_error_data error{.code = &code, .text = text, .text_buffer_size = sizeof(text)};
  exposer->context_ = mg_start2(&init, &error);
  if (exposer->context_ == nullptr) {
    return absl::UnavailableError(
        absl::StrCat("cannot serve HTTP on ", address, ", perhaps because another process does: ", text));
  }
  mg_server_port port{};
  if (mg_get_server_ports(exposer->context_, 1, &port) < 1) {
    return absl::InternalError(absl::StrCat("cannot tell which port HTTP address ", address, " got"));
  }
  exposer->port_ = port.port;
  mg_set_request_handler(exposer->context_, "/metrics$", ServeMetrics, exposer.get());
  mg_set_request_handler(exposer->context_, "/livez$", ServeLive, exposer.get());
  mg_set_request_handler(exposer->context_, "/readyz$", ServeReady, exposer.get());
  return exposer;
}

Exposer::~Exposer() {
  if (context_ != nullptr) mg_stop(context_);
}

int Exposer::ServeMetrics(mg_connection* connection, void* exposer) {
  if (!IsRead(connection)) return RefuseMethod(connection);
  return Answer(connection, 200, "OK", "text/plain; version=0.0.4; charset=utf-8",
                static_cast<Exposer*>(exposer)->pages_.metrics());
}

int Exposer::ServeLive(mg_connection* connection, void* exposer) {
  if (!IsRead(connection)) return RefuseMethod(connection);
  return Answer(connection, 200, "OK", "text/plain", "live\n");
}

int Exposer::ServeReady(mg_connection* connection, void* exposer) {
  if (!IsRead(connection)) return RefuseMethod(connection);
  return static_cast<Exposer*>(exposer)->pages_.ready()
             ? Answer(connection, 200, "OK", "text/plain", "ready\n")
             : Answer(connection, 503, "Service Unavailable", "text/plain", "not ready\n");
}

}  // namespace anybit
