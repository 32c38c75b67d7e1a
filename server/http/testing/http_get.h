// One HTTP request to this machine, for tests of what we serve.
#ifndef ANYBIT_SERVER_HTTP_TESTING_HTTP_GET_H_
#define ANYBIT_SERVER_HTTP_TESTING_HTTP_GET_H_

#include <string>

namespace anybit::server::testing {

struct HttpReply {
  int code = 0;        // 0: no answer
  std::string header;  // status line and header fields
  std::string body;
};

// Blocks until the server closes the connection.
HttpReply HttpGet(int port, const std::string& path, const std::string& method = "GET",
                  const std::string& host = "127.0.0.1");

// The same for any bytes.
HttpReply HttpSend(int port, const std::string& bytes, const std::string& host = "127.0.0.1");

// Sends `bytes` and closes the connection once all of them are sent.
void HttpSendAndLeave(int port, const std::string& bytes);

}  // namespace anybit::server::testing

#endif  // ANYBIT_SERVER_HTTP_TESTING_HTTP_GET_H_
