#include "base/listening_sockets.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace anybit {
namespace {

using ::testing::HasSubstr;

// Whether somebody listens on 127.0.0.1, or on ::1.
bool Connects(int port, bool ipv6) {
  sockaddr_in six_or_four{};
  sockaddr_in6 six{};
  six.sin6_family = AF_INET6;
  six.sin6_port = htons(static_cast<uint16_t>(port));
  six.sin6_addr = in6addr_loopback;
  six_or_four.sin_family = AF_INET;
  six_or_four.sin_port = htons(static_cast<uint16_t>(port));
  six_or_four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int descriptor = socket(ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
  const bool connected =
      connect(descriptor, ipv6 ? reinterpret_cast<sockaddr*>(&six) : reinterpret_cast<sockaddr*>(&six_or_four),
              ipv6 ? sizeof(six) : sizeof(six_or_four)) == 0;
  close(descriptor);
  return connected;
}

bool HasIpv6() { return ListeningSockets::CanOpen("[::1]:0").ok(); }

std::string Message(const absl::Status& status) { return std::string(status.message()); }

TEST(HostAndPortTest, NamesAndNumbersOfBothFamilies) {
  EXPECT_EQ(*ParseHostAndPort("127.0.0.1:8001"), (HostAndPort{"127.0.0.1", 8001}));
  EXPECT_EQ(*ParseHostAndPort("localhost:0"), (HostAndPort{"localhost", 0}));
  EXPECT_EQ(*ParseHostAndPort("[::]:8002"), (HostAndPort{"::", 8002}));
  EXPECT_EQ(*ParseHostAndPort("[fe80::1%eth0]:65535"), (HostAndPort{"fe80::1%eth0", 65535}));
}

TEST(HostAndPortTest, AnythingElseIsNamedAndRefused) {
  for (const char* text : {"", "8002", ":8002", "127.0.0.1", "127.0.0.1:", "127.0.0.1:-1", "127.0.0.1:65536",
                           "127.0.0.1:8443s", "127.0.0.1:1,127.0.0.1:2", "127.0.0.1: 1", "::1:8002", "[::1]", "[]:1",
                           "[::1:8002", "[localhost]:1", "unix:/tmp/socket", "host/path:1", "127.0.0.1:99999999999"}) {
    const auto parsed = ParseHostAndPort(text);
    EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(Message(parsed.status()), HasSubstr(std::string("'") + text + "'"));
  }
}

TEST(ListeningSocketsTest, PortZeroPicksOneThatAcceptsConnections) {
  const auto sockets = ListeningSockets::Open("127.0.0.1:0");
  ASSERT_TRUE(sockets.ok()) << sockets.status();
  EXPECT_GT(sockets->port(), 0);
  EXPECT_TRUE(Connects(sockets->port(), /*ipv6=*/false));
}

TEST(ListeningSocketsTest, AllAddressesOfIpv6TakeIpv4AsWell) {
  if (!HasIpv6()) GTEST_SKIP() << "this machine has no IPv6";
  const auto sockets = ListeningSockets::Open("[::]:0");
  ASSERT_TRUE(sockets.ok()) << sockets.status();
  EXPECT_TRUE(Connects(sockets->port(), /*ipv6=*/true));
  EXPECT_TRUE(Connects(sockets->port(), /*ipv6=*/false));
}

TEST(ListeningSocketsTest, ANameListensOnItsAddresses) {
  const auto sockets = ListeningSockets::Open("localhost:0");
  ASSERT_TRUE(sockets.ok()) << sockets.status();
  EXPECT_TRUE(Connects(sockets->port(), /*ipv6=*/false) || Connects(sockets->port(), /*ipv6=*/true));
}

TEST(ListeningSocketsTest, AnAddressInUseIsUnavailableAndSaysSo) {
  const auto first = ListeningSockets::Open("127.0.0.1:0");
  ASSERT_TRUE(first.ok()) << first.status();
  const std::string address = "127.0.0.1:" + std::to_string(first->port());
  const absl::Status second = ListeningSockets::CanOpen(address);
  EXPECT_EQ(second.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Message(second), address + " is in use: another socket listens on port " + std::to_string(first->port()));
}

TEST(ListeningSocketsTest, AForeignAddressIsToldFromOneInUse) {
  const absl::Status status = ListeningSockets::CanOpen("192.0.2.1:0");  // of documentation (RFC 5737), nobody's
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Message(status), "192.0.2.1:0: '192.0.2.1' is not an address of this machine");
}

TEST(ListeningSocketsTest, AnUnknownHostIsNamed) {
  const absl::Status status = ListeningSockets::CanOpen("no.such.host.invalid:1");
  EXPECT_THAT(Message(status), HasSubstr("host 'no.such.host.invalid'"));
}

TEST(ListeningSocketsTest, AfterItsEndThePortIsFree) {
  int port = 0;
  {
    const auto sockets = ListeningSockets::Open("127.0.0.1:0");
    ASSERT_TRUE(sockets.ok());
    port = sockets->port();
  }
  EXPECT_TRUE(ListeningSockets::CanOpen("127.0.0.1:" + std::to_string(port)).ok());
}

}  // namespace
}  // namespace anybit
