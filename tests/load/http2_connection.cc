#include "tests/load/http2_connection.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace anybit::load {
namespace {

constexpr int kConnectMs = 5000;
// A server that stops reading leaves at most this much unsent here; calls above it wait for their turn outside.
constexpr size_t kMaxUnsentBytes = 256 << 10;
constexpr size_t kReadBytes = 256 << 10;
// Flow control must never be what limits the answers.
constexpr int32_t kReceiveWindow = 1 << 30;
constexpr size_t kMessagePrefix = 5;

// Neither is copied: the strings outlive the connection.
nghttp2_nv Header(std::string_view name, std::string_view value, uint8_t flags = 0) {
  return {.name = reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())),
          .value = reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())),
          .namelen = name.size(),
          .valuelen = value.size(),
          .flags = static_cast<uint8_t>(flags | NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE)};
}

std::string WithPrefix(const std::string& message) {
  const uint32_t size = static_cast<uint32_t>(message.size());
  std::string framed(1, '\0');  // not compressed
  for (const int shift : {24, 16, 8, 0}) framed.push_back(static_cast<char>(size >> shift & 0xff));
  return framed + message;
}

absl::Status SystemError(const std::string& what) {
  return absl::UnavailableError(absl::StrCat(what, ": ", std::strerror(errno)));
}

absl::Status Http2Error(const std::string& what, int64_t code) {
  return absl::InternalError(absl::StrCat(what, ": ", nghttp2_strerror(static_cast<int>(code))));
}

absl::StatusOr<int> ConnectTcp(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) {
    return absl::InvalidArgumentError(absl::StrCat("server '", address, "' is not host:port"));
  }
  std::string host = address.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  const addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host.c_str(), address.c_str() + colon + 1, &hints, &found); error != 0) {
    return absl::UnavailableError(absl::StrCat(address, ": ", gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> addresses(found, freeaddrinfo);
  for (const addrinfo* a = found; a != nullptr; a = a->ai_next) {
    const int fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
    if (fd < 0) continue;
    if (connect(fd, a->ai_addr, a->ai_addrlen) == 0) {
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
      return fd;
    }
    close(fd);
  }
  return SystemError(absl::StrCat("cannot connect to ", address));
}

}  // namespace

class Http2Connection::Stream {
 public:
  size_t call = 0;
  int32_t id = 0;
  int grpc_status = -1;
  bool cancelled = false;
  bool keep_answer = false;
  size_t sent = 0;  // of the message
  std::array<char, 24> timeout;
  std::string answer;  // with gRPC's prefix
};

// nghttp2's callbacks. They must not throw and must not run nghttp2 themselves.
struct Http2Connection::Callbacks {
  static Stream* StreamOf(nghttp2_session* session, int32_t id) {
    return static_cast<Stream*>(nghttp2_session_get_stream_user_data(session, id));
  }

  static int OnHeader(nghttp2_session* session, const nghttp2_frame* frame, const uint8_t* name, size_t name_size,
                      const uint8_t* value, size_t value_size, uint8_t, void* connection) {
    const std::string_view key(reinterpret_cast<const char*>(name), name_size);
    const std::string_view text(reinterpret_cast<const char*>(value), value_size);
    if (key == "grpc-status") {
      Stream* stream = StreamOf(session, frame->hd.stream_id);
      if (stream != nullptr) std::from_chars(text.data(), text.data() + text.size(), stream->grpc_status);
    } else if (key == "grpc-message") {
      static_cast<Http2Connection*>(connection)->grpc_message_ = text;
    }
    return 0;
  }

  static int OnData(nghttp2_session* session, uint8_t, int32_t id, const uint8_t* data, size_t size, void*) {
    Stream* stream = StreamOf(session, id);
    if (stream != nullptr && stream->keep_answer) stream->answer.append(reinterpret_cast<const char*>(data), size);
    return 0;
  }

  static int OnStreamClose(nghttp2_session* session, int32_t id, uint32_t error, void* connection) {
    if (Stream* stream = StreamOf(session, id)) static_cast<Http2Connection*>(connection)->End(stream, error);
    return 0;
  }

  static int OnFrame(nghttp2_session*, const nghttp2_frame* frame, void* connection) {
    if (frame->hd.type == NGHTTP2_SETTINGS) static_cast<Http2Connection*>(connection)->has_settings_ = true;
    if (frame->hd.type == NGHTTP2_GOAWAY) static_cast<Http2Connection*>(connection)->is_going_away_ = true;
    return 0;
  }

  static ssize_t ReadMessage(nghttp2_session*, int32_t, uint8_t* to, size_t room, uint32_t* flags,
                             nghttp2_data_source* source, void* connection) {
    const std::string& message = static_cast<Http2Connection*>(connection)->message_;
    Stream* stream = static_cast<Stream*>(source->ptr);
    const size_t size = std::min(room, message.size() - stream->sent);
    std::memcpy(to, message.data() + stream->sent, size);
    stream->sent += size;
    if (stream->sent == message.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(size);
  }
};

Http2Connection::Http2Connection(const GrpcMethod& method, OnEnd on_end, std::string authority)
    : message_(WithPrefix(method.message)),
      on_end_(std::move(on_end)),
      path_(method.path),
      authority_(std::move(authority)),
      input_(kReadBytes) {
  nghttp2_session_callbacks* callbacks;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, Callbacks::OnHeader);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, Callbacks::OnData);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, Callbacks::OnStreamClose);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, Callbacks::OnFrame);
  nghttp2_option* option;
  nghttp2_option_new(&option);
  // The server is ours: what HTTP forbids in its headers need not be looked for in each answer.
  nghttp2_option_set_no_http_messaging(option, 1);
  nghttp2_session_client_new2(&session_, callbacks, this, option);
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);
  const std::array<nghttp2_settings_entry, 2> settings = {
      {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0}, {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kReceiveWindow}}};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, kReceiveWindow);
}

Http2Connection::~Http2Connection() {
  nghttp2_session_del(session_);
  if (fd_ >= 0) close(fd_);
}

absl::StatusOr<std::unique_ptr<Http2Connection>> Http2Connection::Connect(const std::string& address,
                                                                          const GrpcMethod& method, OnEnd on_end) {
  absl::StatusOr<int> fd = ConnectTcp(address);
  if (!fd.ok()) return fd.status();
  std::unique_ptr<Http2Connection> connection(new Http2Connection(method, std::move(on_end), address));
  connection->fd_ = *fd;
  if (absl::Status status = connection->AwaitSettings(); !status.ok()) return status;
  return connection;
}

absl::Status Http2Connection::AwaitSettings() {
  while (!has_settings_) {
    if (absl::Status status = Write(); !status.ok()) return status;
    pollfd ready = {.fd = fd_, .events = POLLIN};
    const int count = poll(&ready, 1, kConnectMs);
    if (count == 0) return absl::UnavailableError(absl::StrCat("no HTTP/2 settings within ", kConnectMs, " ms"));
    if (count < 0 && errno != EINTR) return SystemError("poll");
    if (absl::Status status = Read(); !status.ok()) return status;
  }
  return Write();  // acknowledges them
}

bool Http2Connection::CanStart() const {
  return output_.size() - sent_ < kMaxUnsentBytes &&
         open_streams_ < nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

Http2Connection::Stream* Http2Connection::Start(size_t call, std::optional<std::chrono::microseconds> timeout,
                                                bool keep_answer) {
  if (unused_streams_.empty()) {
    streams_.push_back(std::make_unique<Stream>());
    unused_streams_.push_back(streams_.back().get());
  }
  Stream* stream = unused_streams_.back();
  unused_streams_.pop_back();
  stream->call = call;
  stream->grpc_status = -1;
  stream->cancelled = false;
  stream->keep_answer = keep_answer;
  stream->sent = 0;
  stream->answer.clear();

  std::array<nghttp2_nv, 8> headers = {Header(":method", "POST"),
                                       Header(":scheme", "http"),
                                       Header(":path", path_),
                                       Header(":authority", authority_),
                                       Header("te", "trailers"),
                                       Header("content-type", "application/grpc"),
                                       Header("user-agent", "anybit-http2-load")};
  size_t count = 7;
  if (timeout) {
    // gRPC allows eight digits; 99 s are more than any load waits.
    const int64_t micros = std::clamp<int64_t>(timeout->count(), 1, 99'999'999);
    char* end = std::to_chars(stream->timeout.begin(), stream->timeout.end(), micros).ptr;
    *end++ = 'u';
    // Almost every value is another one: in the table of headers it would only displace the others.
    headers[count++] = Header("grpc-timeout", std::string_view(stream->timeout.data(), end), NGHTTP2_NV_FLAG_NO_INDEX);
  }
  const nghttp2_data_provider body = {.source = {.ptr = stream}, .read_callback = Callbacks::ReadMessage};
  stream->id = nghttp2_submit_request(session_, nullptr, headers.data(), count, &body, stream);
  ++open_streams_;
  return stream;
}

void Http2Connection::Cancel(Stream* stream) {
  stream->cancelled = true;
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_CANCEL);
}

void Http2Connection::End(Stream* stream, uint32_t http2_error) {
  --open_streams_;
  unused_streams_.push_back(stream);
  if (stream->cancelled) return;
  on_end_({.call = stream->call,
           .grpc_status = stream->grpc_status,
           .http2_error = http2_error,
           .grpc_message = grpc_message_,
           .answer = stream->answer.size() > kMessagePrefix ? std::string_view(stream->answer).substr(kMessagePrefix)
                                                            : std::string_view()});
}

absl::Status Http2Connection::Read() {
  while (true) {
    const ssize_t size = recv(fd_, input_.data(), input_.size(), MSG_DONTWAIT);
    if (size == 0) return absl::UnavailableError("the server closed the connection");
    if (size < 0) {
      if (errno == EAGAIN || errno == EWOULDBLOCK) return absl::OkStatus();
      if (errno == EINTR) continue;
      return SystemError("recv");
    }
    const ssize_t taken = nghttp2_session_mem_recv(session_, input_.data(), size);
    if (taken < 0) return Http2Error("nghttp2_session_mem_recv", taken);
    if (is_going_away_) return absl::UnavailableError("the server is closing the connection (GOAWAY)");
    if (static_cast<size_t>(size) < input_.size()) return absl::OkStatus();
  }
}

absl::Status Http2Connection::Write() {
  while (true) {
    const uint8_t* data;
    const ssize_t size = nghttp2_session_mem_send(session_, &data);
    if (size < 0) return Http2Error("nghttp2_session_mem_send", size);
    if (size == 0) break;
    output_.append(reinterpret_cast<const char*>(data), size);
  }
  while (sent_ < output_.size()) {
    const ssize_t size = send(fd_, output_.data() + sent_, output_.size() - sent_, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (size < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) return SystemError("send");
      output_.erase(0, sent_);
      sent_ = 0;
      return absl::OkStatus();
    }
    sent_ += size;
  }
  output_.clear();
  sent_ = 0;
  return absl::OkStatus();
}

}  // namespace anybit::load
