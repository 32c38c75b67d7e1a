// An HTTP server whose memory ends, at any place of its thread: one request fails, the server goes on. This program's
// operator new fails when told to.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "server/http/http_server.h"
#include "server/http/testing/http_get.h"

namespace anybit::server {
namespace {

thread_local bool is_servers_thread = false;
std::atomic<int> until_failure = 0;  // allocations of the server's thread up to one that fails; 0: none does

}  // namespace
}  // namespace anybit::server

void* operator new(size_t bytes) {
  std::atomic<int>& left = anybit::server::until_failure;
  const bool fails = anybit::server::is_servers_thread && left > 0 && --left == 0;
  void* memory = fails ? nullptr : std::malloc(std::max<size_t>(bytes, 1));
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace anybit::server {
namespace {

using testing::HttpGet;
using testing::HttpReply;
using testing::HttpSend;

TEST(HttpServerMemoryTest, AnyAllocationMayFailOnce) {
  const auto route = [](const HttpHead& head) -> HttpAction {
    is_servers_thread = true;
    if (head.path == "/probe") return HttpAnswer();
    return HttpRoute{.max_body_bytes = 10'000,
                     .handle = [](std::shared_ptr<HttpCall> call) { call->Answer({.body = std::move(call->body())}); }};
  };
  const auto server = HttpServer::Start("127.0.0.1:0", route, {.idle = std::chrono::hours(1)});
  ASSERT_TRUE(server.ok()) << server.status();
  const int port = (*server)->port();
  ASSERT_EQ(HttpGet(port, "/probe").code, 200);

  const std::string body(5000, 'x');
  const std::string request =
      "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5000\r\n\r\n" + body;
  int served = 0;
  for (int failing = 1; served < 3; ++failing) {
    ASSERT_LT(failing, 500);
    SCOPED_TRACE(failing);
    until_failure = failing;
    const HttpReply reply = HttpSend(port, request);
    const bool has_failed = until_failure.exchange(0) == 0;
    EXPECT_TRUE(reply.code == 200 || reply.code == 503 || reply.code == 0) << reply.code;
    EXPECT_TRUE(reply.code != 200 || reply.body == body);
    if (!has_failed) ++served;
    EXPECT_EQ(HttpGet(port, "/probe").code, 200);
  }
  (*server)->Finish(std::chrono::hours(1));  // no request is counted that does not end
}

}  // namespace
}  // namespace anybit::server
