#include "server/front/front_socket.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "absl/strings/string_view.h"
#include "server/http/tls_contexts.h"
#include "server/http/tls_identity.h"
#include "server/security/testing/certificates.h"

namespace anybit::server {
namespace {

// A socket in TLS, and its client, with hands shaken.
class TlsSocketTest : public ::testing::Test {
 protected:
  TlsSocketTest() {
    std::array<int, 2> pair{};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair.data()), 0);
    socket_ = std::make_unique<FrontSocket>(pair[0], ServeTls(*contexts_.Context()->native_handle(), pair[0]));
    client_end_ = pair[1];
    client_.reset(SSL_new(client_context_.get()));
    SSL_set_fd(client_.get(), client_end_);
    SSL_set_connect_state(client_.get());
    while (SSL_do_handshake(client_.get()) != 1) Read();
    Read();  // the client's last part
  }
  ~TlsSocketTest() override {
    client_.reset();
    close(client_end_);
  }

  void SendARecord(absl::string_view bytes) {
    ASSERT_EQ(SSL_write(client_.get(), bytes.data(), static_cast<int>(bytes.size())), static_cast<int>(bytes.size()));
  }
  // A record that brings no bytes.
  void SendAKeyUpdate() {
    ASSERT_EQ(SSL_key_update(client_.get(), SSL_KEY_UPDATE_NOT_REQUESTED), 1);
    ASSERT_EQ(SSL_do_handshake(client_.get()), 1);
  }
  absl::string_view Read() { return socket_->Read(buffer_); }

  struct DeleteContext {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };
  const testing::Identity identity_ = testing::Authority("authority").Issue({});
  TlsContexts contexts_{[this] {
                          return std::make_shared<const TlsIdentity>(
                              TlsIdentity{.certificates = identity_.certificate, .key = identity_.key});
                        },
                        TlsVersion::kTls13, "h2"};
  std::unique_ptr<SSL_CTX, DeleteContext> client_context_{SSL_CTX_new(TLS_client_method())};
  std::unique_ptr<FrontSocket> socket_;
  int client_end_ = -1;
  TlsConnection client_;
  std::array<char, 64 * 1024> buffer_;
};

constexpr int kRecords = 200;

// Each costs as much as thousands of bytes of a message do.
TEST_F(TlsSocketTest, ATurnReadsAFewRecordsAndTheNextOneGoesOn) {
  for (int i = 0; i < kRecords; ++i) SendARecord("x");
  socket_->OnEvent(EPOLLIN);  // the only one
  size_t size = 0;
  while (size < kRecords) {
    ASSERT_TRUE(socket_->may_read()) << "after " << size << " bytes";
    const size_t read = Read().size();
    ASSERT_GT(read, 0);
    ASSERT_LE(read, 32);
    size += read;
  }
}

TEST_F(TlsSocketTest, RecordsWithoutBytesEndATurnToo) {
  for (int i = 0; i < kRecords; ++i) SendAKeyUpdate();
  SendARecord("x");
  socket_->OnEvent(EPOLLIN);
  int turns = 1;
  for (; Read().empty(); ++turns) {
    ASSERT_TRUE(socket_->may_read());
    ASSERT_FALSE(socket_->has_ended());
  }
  EXPECT_GE(turns, kRecords / 32);
}

}  // namespace
}  // namespace anybit::server
