// A front whose memory ends, at any place: one connection fails, the others go on. This program's operator new fails
// when told to.
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <boost/asio.hpp>

#include "server/front/front.h"
#include "server/front/testing/frames.h"
#include "server/testing/manual_clock.h"

namespace anybit::server {
namespace {

thread_local int until_failure = 0;  // allocations up to one that fails; 0: none does

}  // namespace
}  // namespace anybit::server

void* operator new(size_t bytes) {
  int& left = anybit::server::until_failure;
  void* memory = left > 0 && --left == 0 ? nullptr : std::malloc(std::max<size_t>(bytes, 1));
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace anybit::server {
namespace {

using namespace std::chrono_literals;
using boost::asio::ip::tcp;
using testing::ClientFrames;

TEST(FrontMemoryTest, AnyAllocationMayFailOnce) {
  testing::ManualClock clock;
  Front front({.own_methods = {}, .refused_method = "", .refuse = [](Duration, bool) { return nullptr; }}, clock,
              {.settle_timeout = 1h});
  absl::StatusOr<ListeningSockets> sockets = ListeningSockets::Open("127.0.0.1:0");
  ASSERT_TRUE(sockets.ok()) << sockets.status();
  const tcp::endpoint address(boost::asio::ip::make_address("127.0.0.1"), static_cast<uint16_t>(sockets->port()));
  front.Listen(*std::move(sockets));
  std::vector<int> grpc;
  grpc.reserve(1000);
  front.Start([&](int descriptor) { grpc.push_back(descriptor); });

  boost::asio::io_context context;
  tcp::socket steady(context);
  steady.connect(address);
  while (grpc.empty()) front.Wait(1ms);

  bool has_failed = true;
  for (int failing = 1; has_failed; ++failing) {
    ASSERT_LT(failing, 500);
    SCOPED_TRACE(failing);
    tcp::socket client(context);
    client.connect(address);
    const std::string call = ClientFrames::Begin() + ClientFrames().Call(1, "/service/Infer", "1m");
    boost::asio::write(client, boost::asio::buffer(call));
    until_failure = failing;
    for (int i = 0; i < 3; ++i) EXPECT_NO_THROW(front.Wait(1ms));
    has_failed = std::exchange(until_failure, 0) == 0;
    client.close();
    clock.Advance(1s);  // by then it accepts again
    for (int i = 0; i < 3; ++i) front.Wait(1ms);
  }

  const std::string begin = ClientFrames::Begin();
  boost::asio::write(steady, boost::asio::buffer(begin));
  std::string got(begin.size(), '\0');
  while (recv(grpc[0], got.data(), got.size(), MSG_DONTWAIT | MSG_PEEK) < static_cast<ssize_t>(got.size())) {
    front.Wait(1ms);
  }
  for (const int descriptor : grpc) close(descriptor);
}

}  // namespace
}  // namespace anybit::server
