// Header blocks (RFC 7541): read in the client's compression, written anew in one that gRPC reads.
//
// Both sides of a connection keep a table of headers that earlier blocks have filled. So a block that gRPC does not get
// would break all later ones; with a table for each side, any block can be left out or changed.
#ifndef ANYBIT_SERVER_FRONT_HEADER_BLOCK_H_
#define ANYBIT_SERVER_FRONT_HEADER_BLOCK_H_

#include <nghttp2/nghttp2.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace anybit::server {

// What HTTP/2 counts of a header beside its text.
inline constexpr size_t kHeaderOverhead = 32;

// Of one header, as HTTP/2 counts.
inline size_t HeaderBytes(absl::string_view name, absl::string_view value) {
  return name.size() + value.size() + kHeaderOverhead;
}

// The headers of one block, in order.
class HeaderList {
 public:
  void Clear();
  void Add(absl::string_view name, absl::string_view value, bool may_be_indexed = true);

  size_t size() const { return headers_.size(); }
  // As HTTP/2 counts them: each header takes some bytes beside its text, so that many empty ones are not few.
  size_t bytes() const { return text_.size() + kHeaderOverhead * headers_.size(); }
  absl::string_view name(size_t i) const { return Text(headers_[i].name_at, headers_[i].name_size); }
  absl::string_view value(size_t i) const {
    return Text(headers_[i].name_at + headers_[i].name_size, headers_[i].value_size);
  }
  bool may_be_indexed(size_t i) const { return headers_[i].may_be_indexed; }

 private:
  struct Header {
    uint32_t name_at, name_size, value_size;
    bool may_be_indexed;
  };
  absl::string_view Text(size_t at, size_t size) const { return absl::string_view(text_).substr(at, size); }

  std::string text_;
  std::vector<Header> headers_;
};

class HeaderDecoder {
 public:
  HeaderDecoder();
  // The headers of a whole block; false if it is not one, or holds more than `limit` bytes of headers. Then no later
  // block can be read either.
  bool Decode(absl::string_view block, size_t limit, HeaderList& headers);

 private:
  struct Delete {
    void operator()(nghttp2_hd_inflater* inflater) const { nghttp2_hd_inflate_del(inflater); }
  };
  bool Inflate(absl::string_view block, size_t limit, HeaderList& headers);

  std::unique_ptr<nghttp2_hd_inflater, Delete> inflater_;
  // A client's calls are alike: the last block of references to the table alone, and its headers. Empty once a block
  // may have changed the table.
  std::string references_;
  HeaderList referred_;
};

// Writes blocks whose headers refer to the table wherever they may. A general encoder leaves some out, such as :path,
// which gRPC would have to read anew in each call.
class HeaderEncoder {
 public:
  // A header that takes the place of all of its name.
  struct Replacement {
    absl::string_view name;  // "": none
    absl::string_view value;
  };
  // `timeout`, unless empty, takes the place of the value of grpc-timeout. The view is valid until the next call.
  absl::string_view Encode(const HeaderList& headers, absl::string_view timeout, Replacement replacement = {});

 private:
  struct Entry {
    std::string name, value;
  };

  void Append(absl::string_view name, absl::string_view value);

  std::deque<Entry> table_;  // the last one first
  size_t table_bytes_ = 0;
  std::string block_;
};

// Adds one header to a block without use of any table, so that the block can be read at any place in a connection.
void AppendPlainHeader(std::string& block, absl::string_view name, absl::string_view value);

inline constexpr absl::string_view kTimeoutHeader = "grpc-timeout";

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_FRONT_HEADER_BLOCK_H_
