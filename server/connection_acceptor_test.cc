#include "server/connection_acceptor.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace anybit::server {
namespace {

// A connection to 127.0.0.1; the caller closes it.
int Connect(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int descriptor = socket(AF_INET, SOCK_STREAM, 0);
  EXPECT_EQ(connect(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  return descriptor;
}

void WaitFor(const std::atomic<int>& count, int value) {
  while (count != value) std::this_thread::yield();
}

class ConnectionAcceptorTest : public ::testing::Test {
 protected:
  ConnectionAcceptorTest()
      : sockets_(ListeningSockets::Open("127.0.0.1:0,127.0.0.1:0")),
        ports_(sockets_->ports()),
        acceptor_(
            *std::move(sockets_),
            [this](int socket, int) {
              close(socket);
              ++taken_;
            },
            std::chrono::milliseconds(1)) {}

  absl::StatusOr<ListeningSockets> sockets_;
  const std::vector<int> ports_;
  std::atomic<int> taken_ = 0;
  ConnectionAcceptor acceptor_;
};

TEST_F(ConnectionAcceptorTest, ConnectionsOfEveryAddressAreTakenOnceItStarts) {
  const int early = Connect(ports_[0]);
  EXPECT_EQ(taken_, 0);
  acceptor_.Start();
  WaitFor(taken_, 1);
  const int other = Connect(ports_[1]);
  WaitFor(taken_, 2);
  close(early);
  close(other);
}

TEST_F(ConnectionAcceptorTest, WithoutDescriptorsConnectionsWaitUntilThereAreSome) {
  acceptor_.Start();
  const int first = Connect(ports_[0]);
  WaitFor(taken_, 1);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const int waiting = socket(AF_INET, SOCK_STREAM, 0);  // connected when there is no further descriptor
  const rlimit none{.rlim_cur = static_cast<rlim_t>(3), .rlim_max = before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(ports_[0]));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(waiting, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  for (int i = 0; i < 1000; ++i) std::this_thread::yield();
  EXPECT_EQ(taken_, 1);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  WaitFor(taken_, 2);
  close(first);
  close(waiting);
}

TEST_F(ConnectionAcceptorTest, AfterItsEndTheAddressesAreFree) {
  acceptor_.Start();
  acceptor_.Stop();
  EXPECT_TRUE(ListeningSockets::CanOpen("127.0.0.1:" + std::to_string(ports_[0])).ok());
}

}  // namespace
}  // namespace anybit::server
