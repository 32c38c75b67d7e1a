// One HTTP request to 127.0.0.1, for tests of what we serve.
#ifndef ANYBIT_METRICS_TESTING_HTTP_GET_H_
#define ANYBIT_METRICS_TESTING_HTTP_GET_H_

#include <string>

namespace anybit::testing {

struct HttpAnswer {
  int code = 0;         // 0: no answer
  std::string header;   // status line and header fields
  std::string body;
};

// Blocks until the server closes the connection.
HttpAnswer HttpGet(int port, const std::string& path, const std::string& method = "GET");

}  // namespace anybit::testing

#endif  // ANYBIT_METRICS_TESTING_HTTP_GET_H_
