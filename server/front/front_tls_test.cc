// A front that ends TLS, between clients that speak it and sockets that stand for gRPC's.
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>

#include "base/listening_sockets.h"
#include "server/front/front.h"
#include "server/front/testing/frames.h"
#include "server/front/testing/front_test.h"
#include "server/security/testing/certificates.h"

namespace anybit::server {
namespace {

using namespace std::chrono_literals;
namespace asio = boost::asio;
using testing::ClientFrames;
using testing::GrpcEnd;
using testing::kInfer;
using testing::ValueOf;

constexpr char kHttp2[] = "\x02h2", kHttp11[] = "\x08http/1.1";

// A client whose every step lets the front have turns, so that one thread is enough.
class TlsClient {
 public:
  using Stream = asio::ssl::stream<asio::ip::tcp::socket>;

  TlsClient(Front& front, int port, const testing::Identity& own, const std::string& protocols)
      : front_(front), context_(asio::ssl::context::tls_client), stream_(io_, (Prepare(own, protocols), context_)) {
    stream_.next_layer().connect({asio::ip::make_address("127.0.0.1"), static_cast<uint16_t>(port)});
  }

  bool ShakeHands() {
    return Do([&](auto done) { stream_.async_handshake(asio::ssl::stream_base::client, std::move(done)); });
  }
  bool Send(const std::string& bytes) {
    return Do([&](auto done) {
      asio::async_write(stream_, asio::buffer(bytes), [done](auto error, size_t) { done(error); });
    });
  }
  // Whether both ends say that TLS ends; the socket stays open.
  bool EndTls() {
    return Do([&](auto done) { stream_.async_shutdown(std::move(done)); });
  }
  // What comes, up to `size` bytes; less where the connection ends.
  std::string Read(size_t size) {
    std::string bytes(size, '\0');
    size_t read = 0;
    Do([&](auto done) {
      asio::async_read(stream_, asio::buffer(bytes), [done, &read](auto error, size_t count) {
        read = count;
        done(error);
      });
    });
    return bytes.substr(0, read);
  }
  // Its certificate's serial number and the like: what the server has shown.
  std::string ServersCertificate() {
    X509* const certificate = SSL_get1_peer_certificate(stream_.native_handle());
    unsigned char* bytes = nullptr;
    const int size = i2d_X509(certificate, &bytes);
    std::string encoded(reinterpret_cast<char*>(bytes), static_cast<size_t>(size));
    OPENSSL_free(bytes);
    X509_free(certificate);
    return encoded;
  }

 private:
  void Prepare(const testing::Identity& own, const std::string& protocols) {
    if (!protocols.empty()) {
      SSL_CTX_set_alpn_protos(context_.native_handle(), reinterpret_cast<const unsigned char*>(protocols.data()),
                              static_cast<unsigned int>(protocols.size()));
    }
    if (own.key.empty()) return;
    context_.use_certificate_chain(asio::buffer(own.certificate));
    context_.use_private_key(asio::buffer(own.key), asio::ssl::context::pem);
  }

  // Starts a step and moves bytes until it is done; whether it succeeded.
  template <typename Step>
  bool Do(Step step) {
    std::optional<boost::system::error_code> ended;
    step([&ended](const boost::system::error_code& error) { ended = error; });
    while (!ended.has_value()) {
      front_.Wait(1ms);
      io_.restart();
      io_.poll();
    }
    return !*ended;
  }

  Front& front_;
  asio::io_context io_;
  asio::ssl::context context_;
  Stream stream_;
};

class FrontTlsTest : public ::testing::Test {
 protected:
  void Start(bool asks_for_certificates) {
    Show(authority_.Issue({}), asks_for_certificates ? authority_.certificate() : "");
    rules_.client_name_header = asks_for_certificates ? "client-name" : "";
    front_ = std::make_unique<Front>(
        rules_, clock_, FrontOptions{.tls = [this] { return identity_; }, .settle_timeout = 10s, .settle_grace = 1s});
    absl::StatusOr<ListeningSockets> sockets = ListeningSockets::Open("127.0.0.1:0");
    ASSERT_TRUE(sockets.ok()) << sockets.status();
    port_ = sockets->port();
    front_->Listen(*std::move(sockets));
    front_->Start([this](int descriptor) { grpc_.push_back(std::make_unique<GrpcEnd>(descriptor)); });
  }
  void Show(const testing::Identity& pair, const std::string& client_authorities) {
    identity_ = std::make_shared<const TlsIdentity>(
        TlsIdentity{.certificates = pair.certificate, .key = pair.key, .client_authorities = client_authorities});
  }
  std::unique_ptr<TlsClient> Connect(const testing::Identity& own = {}, const std::string& protocols = kHttp2) {
    return std::make_unique<TlsClient>(*front_, port_, own, protocols);
  }

  const testing::Authority authority_{"authority"};
  std::shared_ptr<const TlsIdentity> identity_;
  testing::ManualClock clock_;
  FrontRules rules_ = {.refused_method = kInfer, .refuse = [](Duration, bool) { return nullptr; }};
  std::unique_ptr<Front> front_;
  int port_ = 0;
  std::vector<std::unique_ptr<GrpcEnd>> grpc_;
};

TEST_F(FrontTlsTest, MovesBytesBothWays) {
  Start(false);
  const auto client = Connect();
  ASSERT_TRUE(client->ShakeHands());
  ClientFrames frames;
  ASSERT_TRUE(client->Send(ClientFrames::Begin() + frames.Call(1, kInfer, "", std::string(16'000, 'x'))));
  while (grpc_[0]->Calls() < 1) front_->Wait(1ms);
  std::string answer;
  AppendFrame(answer, FrameType::kSettings, 0, 0, "");
  for (int i = 0; i < 5; ++i) AppendFrame(answer, FrameType::kData, 0, 1, std::string(10'000, 'm'));
  grpc_[0]->Write(answer);
  EXPECT_EQ(client->Read(answer.size()), answer);
}

TEST_F(FrontTlsTest, TellsGrpcTheNameInTheCertificateWhateverTheClientSays) {
  Start(true);
  const auto client = Connect(authority_.Issue({.name = "search"}));
  ASSERT_TRUE(client->ShakeHands());
  const std::string call = ClientFrames().HeadersFrame(
      1, {{":method", "POST"}, {":path", kInfer}, {"client-name", "admin"}, {"te", "trailers"}});
  ASSERT_TRUE(client->Send(ClientFrames::Begin() + call));
  while (grpc_[0]->Calls() < 1) front_->Wait(1ms);
  EXPECT_EQ(ValueOf(grpc_[0]->FirstHeaders(), "client-name"), "search");
}

TEST_F(FrontTlsTest, AClientWithoutACertificateGetsNoCallThrough) {
  Start(true);
  const auto client = Connect();
  // In TLS 1.3 the client hears of the refusal after its own part is done.
  if (client->ShakeHands()) (void)client->Send(ClientFrames::Begin() + ClientFrames().Call(1, kInfer, ""));
  EXPECT_EQ(client->Read(1), "");
  EXPECT_EQ(grpc_[0]->Calls(), 0);
  EXPECT_TRUE(grpc_[0]->HasEnded());
}

TEST_F(FrontTlsTest, AClientThatDoesNotSpeakHttp2IsDisconnected) {
  Start(false);
  EXPECT_FALSE(Connect({}, kHttp11)->ShakeHands());
  const auto silent = Connect({}, "");
  ASSERT_TRUE(silent->ShakeHands());
  (void)silent->Send(ClientFrames::Begin());
  EXPECT_EQ(silent->Read(1), "");
  EXPECT_EQ(grpc_[1]->Calls(), 0);
}

TEST_F(FrontTlsTest, AClientThatSpeaksInTheClearIsDisconnected) {
  Start(false);
  testing::Client client(port_);
  client.Call(1);
  while (grpc_.empty() || !grpc_[0]->HasEnded()) front_->Wait(1ms);
  EXPECT_EQ(grpc_[0]->Calls(), 0);
}

TEST_F(FrontTlsTest, AHandshakeThatDoesNotGoOnEnds) {
  Start(false);
  testing::Client silent(port_);
  while (grpc_.empty()) front_->Wait(1ms);
  for (const Duration passed : {10s, 1s}) {
    clock_.Advance(passed);
    front_->Wait(1ms);
  }
  EXPECT_TRUE(grpc_[0]->HasEnded());
}

TEST_F(FrontTlsTest, ANewIdentityIsShownToNewConnectionsAndOldOnesGoOn) {
  Start(false);
  const auto before = Connect();
  ASSERT_TRUE(before->ShakeHands());
  Show(authority_.Issue({}), "");
  const auto after = Connect();
  ASSERT_TRUE(after->ShakeHands());
  EXPECT_NE(after->ServersCertificate(), before->ServersCertificate());
  ASSERT_TRUE(before->Send(ClientFrames::Begin() + ClientFrames().Call(1, kInfer, "")));
  while (grpc_[0]->Calls() < 1) front_->Wait(1ms);
}

TEST_F(FrontTlsTest, AClientThatEndsTlsEndsForGrpc) {
  Start(false);
  const auto client = Connect();
  ASSERT_TRUE(client->ShakeHands());
  ASSERT_TRUE(client->Send(ClientFrames::Begin()));
  EXPECT_TRUE(client->EndTls()) << "the front ends it, too";
  while (!grpc_[0]->HasEnded()) front_->Wait(1ms);
}

}  // namespace
}  // namespace anybit::server
