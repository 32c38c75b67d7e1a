#include "base/listening_sockets.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <fstream>
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
  EXPECT_EQ(*ParseHostAndPort("[::]:8000"), (HostAndPort{"::", 8000}));
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

// The folders of tests have longer names than a socket may have.
std::string SocketPath(const std::string& name) { return "/tmp/anybit." + std::to_string(getpid()) + "." + name; }

bool Exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

TEST(AddressesTest, AListHasAddressesOfBothKinds) {
  EXPECT_EQ(*ParseAddresses("127.0.0.1:8000,[::1]:0,unix:/run/a.sock"),
            (std::vector<std::string>{"127.0.0.1:8000", "[::1]:0", "unix:/run/a.sock"}));
  EXPECT_EQ(ParseAddresses("localhost:0,localhost:0")->size(), 2u);
}

TEST(AddressesTest, AnythingElseIsNamedAndRefused) {
  const std::string long_path = "unix:/" + std::string(107, 'p');
  for (const std::string& text : {std::string(""), std::string("unix:"), std::string("unix:relative"), long_path,
                                  std::string("localhost:1,"), std::string("localhost:1,localhost:1")}) {
    EXPECT_EQ(ParseAddresses(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(ListeningSocketsTest, SeveralAddressesHavePortsOfTheirOwn) {
  const auto sockets = ListeningSockets::Open("127.0.0.1:0,127.0.0.1:0");
  ASSERT_TRUE(sockets.ok()) << sockets.status();
  ASSERT_EQ(sockets->ports().size(), 2u);
  EXPECT_NE(sockets->ports()[0], sockets->ports()[1]);
  for (const int port : sockets->ports()) EXPECT_TRUE(Connects(port, /*ipv6=*/false));
}

TEST(ListeningSocketsTest, AUnixSocketHasItsModeAndItsFileEndsWithIt) {
  const std::string path = SocketPath("mode");
  {
    const auto sockets = ListeningSockets::Open("unix:" + path, 0600);
    ASSERT_TRUE(sockets.ok()) << sockets.status();
    struct stat facts {};
    ASSERT_EQ(stat(path.c_str(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 0777, 0600u);
    EXPECT_EQ(sockets->port(), 0);
  }
  EXPECT_FALSE(Exists(path));
}

TEST(ListeningSocketsTest, AUnixSocketThatIsListenedOnIsInUse) {
  const std::string path = SocketPath("used");
  const auto first = ListeningSockets::Open("unix:" + path);
  ASSERT_TRUE(first.ok()) << first.status();
  const absl::Status second = ListeningSockets::CanOpen("unix:" + path);
  EXPECT_EQ(second.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Message(second), "unix:" + path + " is in use: another process listens on it");
  EXPECT_TRUE(Exists(path));
}

TEST(ListeningSocketsTest, TheFileOfAProcessThatHasEndedIsReplaced) {
  const std::string path = SocketPath("stale");
  const int descriptor = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(bind(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  close(descriptor);
  ASSERT_TRUE(Exists(path));
  EXPECT_TRUE(ListeningSockets::Open("unix:" + path).ok());
}

TEST(ListeningSocketsTest, AFileThatIsNoSocketIsLeftAlone) {
  const std::string path = SocketPath("file");
  std::ofstream(path) << "data";
  EXPECT_EQ(Message(ListeningSockets::CanOpen("unix:" + path)), "unix:" + path + " is not a socket, and is left alone");
  EXPECT_TRUE(Exists(path));
  unlink(path.c_str());
}

TEST(ListeningSocketsTest, AnotherSocketInItsPlaceIsNotRemoved) {
  const std::string path = SocketPath("replaced");
  auto first = ListeningSockets::Open("unix:" + path);
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_EQ(rename(path.c_str(), (path + ".old").c_str()), 0);
  const auto second = ListeningSockets::Open("unix:" + path);
  ASSERT_TRUE(second.ok()) << second.status();
  for (const auto& socket : first->Release()) close(socket.descriptor);
  EXPECT_TRUE(Exists(path));
  unlink((path + ".old").c_str());
}

}  // namespace
}  // namespace anybit
