// A server whose lowest version of TLS is 1.3, for gRPC and for HTTP.
#include <unistd.h>

#include <cstdint>
#include <string>

#include <gtest/gtest.h>
#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>

#include "server/security/testing/certificates.h"
#include "server/testing/server_fixture.h"

namespace anybit::server {
namespace {

namespace asio = boost::asio;
using Method = asio::ssl::context::method;

// Whether the server on this port agrees to a handshake of this version.
bool Agrees(int port, Method version) {
  asio::io_context io;
  asio::ssl::context context(version);
  static constexpr unsigned char kProtocols[] = "\x02h2\x08http/1.1";
  SSL_CTX_set_alpn_protos(context.native_handle(), kProtocols, sizeof(kProtocols) - 1);
  asio::ssl::stream<asio::ip::tcp::socket> stream(io, context);
  stream.next_layer().connect({asio::ip::make_address("127.0.0.1"), static_cast<uint16_t>(port)});
  boost::system::error_code error;
  stream.handshake(asio::ssl::stream_base::client, error);
  return !error;
}

TEST(ServerTls13Test, ClientsThatSpeakOnlyAnOlderVersionAreRefused) {
  const testing::Authority authority("authority");
  const testing::Identity identity = authority.Issue({});
  const std::string path = ::testing::TempDir() + "/" + std::to_string(getpid());
  testing::WriteFile(path + "c.pem", identity.certificate);
  testing::WriteFile(path + "k.pem", identity.key);
  ServerOptions options = testing::Options("127.0.0.1:0");
  options.security.tls = {.certificate = path + "c.pem",
                          .key = path + "k.pem",
                          .client_authorities = "",
                          .least_version = TlsVersion::kTls13};
  testing::ServerFixture fixture(options);
  for (const int port : {fixture.server().grpc_port(), fixture.server().http_port()}) {
    EXPECT_TRUE(Agrees(port, Method::tlsv13_client)) << port;
    EXPECT_FALSE(Agrees(port, Method::tlsv12_client)) << port;
  }
}

}  // namespace
}  // namespace anybit::server
