// One HTTP request to this machine, for tests of what we serve.
#ifndef ANYBIT_METRICS_TESTING_HTTP_GET_H_
#define ANYBIT_METRICS_TESTING_HTTP_GET_H_

#include <string>

namespace anybit::metrics::testing {

struct HttpAnswer {
  int code = 0;        // 0: no answer
  std::string header;  // status line and header fields
  std::string body;
};

// Blocks until the server closes the connection.
HttpAnswer HttpGet(int port, const std::string& path, const std::string& method = "GET",
                   const std::string& host = "127.0.0.1");

// The same for any bytes.
HttpAnswer HttpSend(int port, const std::string& bytes, const std::string& host = "127.0.0.1");

}  // namespace anybit::metrics::testing

#endif  // ANYBIT_METRICS_TESTING_HTTP_GET_H_
