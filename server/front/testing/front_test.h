// A front as a test drives it: between real TCP connections and sockets that stand for gRPC's.
#ifndef ANYBIT_SERVER_FRONT_TESTING_FRONT_TEST_H_
#define ANYBIT_SERVER_FRONT_TESTING_FRONT_TEST_H_

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <boost/asio.hpp>

#include "base/listening_sockets.h"
#include "server/front/front.h"
#include "server/front/testing/frames.h"
#include "server/testing/manual_clock.h"

namespace anybit::server::testing {

inline constexpr char kInfer[] = "/service/Infer", kOwn[] = "/service/Own";
inline constexpr int kCallsPerWait = 8, kCallsInside = 4;

// gRPC's end of a connection, as the front gave it.
class GrpcEnd {
 public:
  explicit GrpcEnd(int descriptor) : descriptor_(descriptor) {}
  ~GrpcEnd() { Close(); }
  GrpcEnd(const GrpcEnd&) = delete;
  GrpcEnd& operator=(const GrpcEnd&) = delete;

  // Calls in all that has come so far.
  int Calls() {
    char buffer[4096];
    ssize_t size;
    while ((size = recv(descriptor_, buffer, sizeof(buffer), MSG_DONTWAIT)) > 0) bytes_.append(buffer, size);
    has_ended_ = size == 0;
    int calls = 0;
    for (const Frame& frame : FramesOf(absl::string_view(bytes_).substr(std::min(bytes_.size(), kPreface.size())))) {
      calls += frame.head.type == FrameType::kHeaders ? 1 : 0;
    }
    return calls;
  }
  bool HasEnded() {
    Calls();
    return has_ended_;
  }
  // The timeout of the first call.
  std::string Timeout() { return ValueOf(FirstHeaders(), kTimeoutHeader); }
  // The headers of the first call.
  Headers FirstHeaders() {
    HeaderDecoder decoder;
    for (const Frame& frame : FramesOf(absl::string_view(bytes_).substr(kPreface.size()))) {
      if (frame.head.type == FrameType::kHeaders) return Decode(decoder, frame.payload);
    }
    return {};
  }

  void Write(absl::string_view bytes) {
    ASSERT_EQ(send(descriptor_, bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  }
  void Close() {
    if (descriptor_ >= 0) close(descriptor_);
    descriptor_ = -1;
  }

 private:
  int descriptor_;
  std::string bytes_;
  bool has_ended_ = false;
};

class Client {
 public:
  explicit Client(int port) : socket_(context_) {
    socket_.connect({boost::asio::ip::make_address("127.0.0.1"), static_cast<uint16_t>(port)});
  }

  void Send(const std::string& bytes) { boost::asio::write(socket_, boost::asio::buffer(bytes)); }
  // `calls` more of them.
  void Call(int calls, absl::string_view timeout = "", absl::string_view method = kInfer) {
    std::string bytes = stream_ == 1 ? ClientFrames::Begin() : "";
    for (; calls > 0; --calls, stream_ += 2) bytes += frames_.Call(stream_, method, timeout);
    Send(bytes);
  }
  std::string Read(size_t size) {
    std::string bytes(size, '\0');
    boost::system::error_code ended;
    bytes.resize(boost::asio::read(socket_, boost::asio::buffer(bytes), ended));
    return bytes;
  }
  // So many that come next, while `front` has its turns.
  std::vector<Frame> ReadFrames(size_t count, Front& front) {
    std::vector<Frame> frames;
    std::string bytes;
    while ((frames = FramesOf(bytes)).size() < count) {
      front.Wait(std::chrono::milliseconds(1));
      char buffer[4096];
      const ssize_t size = recv(socket_.native_handle(), buffer, sizeof(buffer), MSG_DONTWAIT);
      if (size > 0) bytes.append(buffer, size);
    }
    return frames;
  }
  // Acknowledges a ping.
  void Confirm(absl::string_view payload) {
    std::string bytes;
    AppendFrame(bytes, FrameType::kPing, kAck, 0, payload);
    Send(bytes);
  }
  void Close() { socket_.close(); }

 private:
  boost::asio::io_context context_;
  boost::asio::ip::tcp::socket socket_;
  ClientFrames frames_;
  uint32_t stream_ = 1;
};

class FrontTest : public ::testing::Test {
 protected:
  FrontTest() {
    absl::StatusOr<ListeningSockets> sockets = ListeningSockets::Open("127.0.0.1:0");
    EXPECT_TRUE(sockets.ok()) << sockets.status();
    port_ = sockets->port();
    front_.Listen(*std::move(sockets));
    front_.Start([this](int descriptor) { grpc_.push_back(std::make_unique<GrpcEnd>(descriptor)); });
  }

  // Waits until gRPC has got so many calls of connection `i`, and any that the front would let through beside.
  void WaitForCalls(size_t i, int calls) {
    while (grpc_.size() <= i || grpc_[i]->Calls() < calls) front_.Wait(std::chrono::hours(1));
  }
  // A new connection that has made `calls` calls, all of which the front has passed.
  std::unique_ptr<Client> Connect(int calls) {
    auto client = std::make_unique<Client>(port_);
    client->Call(calls);
    WaitForCalls(grpc_.size(), calls);
    return client;
  }

  ManualClock clock_;
  const FrontRules rules_ = {
      .own_methods = {kOwn}, .refused_method = kInfer, .refuse = [](Duration, bool) { return nullptr; }};
  Front front_{rules_,
               clock_,
               {.calls_per_wait = kCallsPerWait,
                .calls_inside = kCallsInside,
                .settle_timeout = std::chrono::seconds(10),
                .settle_grace = std::chrono::seconds(1)}};
  int port_ = 0;
  std::vector<std::unique_ptr<GrpcEnd>> grpc_;
};

}  // namespace anybit::server::testing

#endif  // ANYBIT_SERVER_FRONT_TESTING_FRONT_TEST_H_
