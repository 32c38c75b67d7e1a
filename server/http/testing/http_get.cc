#include "server/http/testing/http_get.h"

#include <cstdlib>
#include <string>
#include <utility>

#include <boost/asio.hpp>

namespace anybit::server::testing {

HttpReply HttpGet(int port, const std::string& path, const std::string& method, const std::string& host) {
  return HttpSend(port, method + " " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", host);
}

HttpReply HttpSend(int port, const std::string& bytes, const std::string& host) {
  namespace asio = boost::asio;
  asio::io_context context;
  asio::ip::tcp::socket socket(context);
  boost::system::error_code error;
  socket.connect({asio::ip::make_address(host), static_cast<uint16_t>(port)}, error);
  if (error) return {};
  asio::write(socket, asio::buffer(bytes), error);
  std::string text;
  asio::read(socket, asio::dynamic_buffer(text), error);  // until the end of the stream, which is an "error"
  const auto end_of_header = text.find("\r\n\r\n");
  const auto space = text.find(' ');
  if (end_of_header == std::string::npos || space > end_of_header) return {};
  return {.code = std::atoi(text.c_str() + space + 1),
          .header = text.substr(0, end_of_header),
          .body = text.substr(end_of_header + 4)};
}

void HttpSendAndLeave(int port, const std::string& bytes) {
  namespace asio = boost::asio;
  asio::io_context context;
  asio::ip::tcp::socket socket(context);
  socket.connect({asio::ip::make_address("127.0.0.1"), static_cast<uint16_t>(port)});
  asio::write(socket, asio::buffer(bytes));
}

}  // namespace anybit::server::testing
