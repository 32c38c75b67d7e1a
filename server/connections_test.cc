// What a server allows its connections, seen by a client that speaks HTTP/2 frame by frame (RFC 9113).
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio.hpp>

#include "server/options.h"
#include "server/processors.h"
#include "server/testing/server_fixture.h"

namespace anybit::server {
namespace {

using ::testing::HasSubstr;
using testing::ServerFixture;

enum FrameType : uint8_t { kSettings = 4, kPing = 6, kGoaway = 7 };
constexpr uint8_t kAck = 1;
constexpr uint16_t kMaxConcurrentStreams = 3, kInitialWindowSize = 4;

struct Frame {
  uint8_t type = 0;
  uint8_t flags = 0;
  std::string payload;
};

class Connection {
 public:
  explicit Connection(int port) : socket_(context_) {
    socket_.connect({boost::asio::ip::make_address("127.0.0.1"), static_cast<uint16_t>(port)});
    Write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    Send(kSettings, "");
  }

  void Send(FrameType type, const std::string& payload) {
    const auto size = static_cast<char>(payload.size());  // below 128 here
    Write(std::string({0, 0, size, static_cast<char>(type), 0, 0, 0, 0, 0}) + payload);
  }

  // The next frame of `type`; one of type 0 if the connection ends before.
  Frame Next(FrameType type) {
    while (true) {
      const std::string header = Read(9);
      if (header.size() < 9) return {};
      const auto byte = [&](int i) { return static_cast<uint8_t>(header[i]); };
      Frame frame{.type = byte(3), .flags = byte(4), .payload = Read(byte(0) << 16 | byte(1) << 8 | byte(2))};
      if (frame.type == type) return frame;
    }
  }

 private:
  void Write(const std::string& bytes) {
    boost::system::error_code ignored;  // the server may have closed it, which reading tells
    boost::asio::write(socket_, boost::asio::buffer(bytes), ignored);
  }
  std::string Read(size_t size) {
    std::string bytes(size, '\0');
    boost::system::error_code ended;
    bytes.resize(boost::asio::read(socket_, boost::asio::buffer(bytes), ended));
    return bytes;
  }

  boost::asio::io_context context_;
  boost::asio::ip::tcp::socket socket_;
};

// Whether the server has one processor, so that one thread serves both the front and gRPC.
class ConnectionsTest : public ::testing::TestWithParam<bool> {
 protected:
  static ServerOptions With(const ConnectionOptions& connections, int64_t max_queue_bytes = 0);
};

ServerOptions ConnectionsTest::With(const ConnectionOptions& connections, int64_t max_queue_bytes) {
  ServerOptions options = testing::Options();
  const Processor first = AllowedProcessors().front();
  options.processors = GetParam() ? std::vector{first} : std::vector{first, first};
  options.pin = false;
  options.connections = connections;
  options.max_queue_bytes = max_queue_bytes;
  return options;
}

// The server's settings, by number.
std::map<int, int64_t> Settings(const ServerOptions& options) {
  ServerFixture fixture(options);
  std::map<int, int64_t> settings;
  const std::string payload = Connection(fixture.server().grpc_port()).Next(kSettings).payload;
  for (size_t at = 0; at + 6 <= payload.size(); at += 6) {
    const auto byte = [&](size_t i) { return int64_t{static_cast<uint8_t>(payload[at + i])}; };
    settings[static_cast<int>(byte(0) << 8 | byte(1))] = byte(2) << 24 | byte(3) << 16 | byte(4) << 8 | byte(5);
  }
  return settings;
}

TEST_P(ConnectionsTest, PingsThatAreNotTooOftenAreAnswered) {
  ServerFixture fixture(With({.min_ping_interval = Duration::zero()}));
  Connection connection(fixture.server().grpc_port());
  for (int i = 0; i < 20; ++i) {
    connection.Send(kPing, "12345678");
    const Frame answer = connection.Next(kPing);
    ASSERT_EQ(answer.type, kPing) << "after " << i << " pings";
    EXPECT_EQ(answer.flags, kAck);
  }
}

TEST_P(ConnectionsTest, PingsThatAreTooOftenEndTheConnection) {
  ServerFixture fixture(With({.min_ping_interval = std::chrono::hours(1)}));
  Connection connection(fixture.server().grpc_port());
  for (int i = 0; i < 20; ++i) connection.Send(kPing, "12345678");
  EXPECT_THAT(connection.Next(kGoaway).payload, HasSubstr("too_many_pings"));
}

TEST_P(ConnectionsTest, AConnectionWithoutCallsIsClosedWhenItsTimeIsOver) {
  ServerFixture fixture(With({.max_idle = std::chrono::milliseconds(1)}));
  EXPECT_EQ(Connection(fixture.server().grpc_port()).Next(kGoaway).type, kGoaway);
}

TEST_P(ConnectionsTest, AnOldConnectionIsClosed) {
  ServerFixture fixture(With({.max_age = std::chrono::milliseconds(1)}));
  EXPECT_EQ(Connection(fixture.server().grpc_port()).Next(kGoaway).type, kGoaway);
}

TEST_P(ConnectionsTest, StreamsAndWhatTheyMaySendUnaskedAreLimited) {
  EXPECT_EQ(Settings(With({.max_streams = 7}))[kMaxConcurrentStreams], 7);
  EXPECT_EQ(Settings(With({}))[kInitialWindowSize], 16 * 1024);
  // A quarter of the memory, at 32 KiB a call.
  EXPECT_EQ(Settings(With({}, int64_t{1} << 30))[kMaxConcurrentStreams], 8192);
}

INSTANTIATE_TEST_SUITE_P(BothListeners, ConnectionsTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "OneProcessor" : "MoreProcessors"; });

}  // namespace
}  // namespace anybit::server
