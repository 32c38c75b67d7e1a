#include "server/front/header_block.h"

#include <new>

namespace anybit::server {
namespace {

// Of each table: the protocol's initial value, which gRPC's server does not change.
constexpr size_t kTableBytes = 4096;

uint8_t* Bytes(absl::string_view text) { return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data())); }

void AppendLength(std::string& block, size_t length) {
  constexpr size_t kPrefix = 127;  // seven bits; the eighth would say that Huffman's code follows
  if (length < kPrefix) {
    block.push_back(static_cast<char>(length));
    return;
  }
  block.push_back(static_cast<char>(kPrefix));
  for (length -= kPrefix; length >= 128; length /= 128) block.push_back(static_cast<char>(length % 128 | 128));
  block.push_back(static_cast<char>(length));
}

}  // namespace

void HeaderList::Clear() {
  text_.clear();
  headers_.clear();
}

void HeaderList::Add(absl::string_view name, absl::string_view value, bool may_be_indexed) {
  headers_.push_back({.name_at = static_cast<uint32_t>(text_.size()),
                      .name_size = static_cast<uint32_t>(name.size()),
                      .value_size = static_cast<uint32_t>(value.size()),
                      .may_be_indexed = may_be_indexed});
  text_.append(name.data(), name.size());
  text_.append(value.data(), value.size());
}

HeaderDecoder::HeaderDecoder() {
  nghttp2_hd_inflater* inflater = nullptr;
  nghttp2_hd_inflate_new(&inflater);
  inflater_.reset(inflater);
}

bool HeaderDecoder::Decode(absl::string_view block, size_t limit, HeaderList& headers) {
  if (inflater_ == nullptr) return false;
  const auto* at = reinterpret_cast<const uint8_t*>(block.data());
  const uint8_t* const end = at + block.size();
  while (true) {
    nghttp2_nv header;
    int flags = 0;
    const ssize_t read = nghttp2_hd_inflate_hd2(inflater_.get(), &header, &flags, at, end - at, /*in_final=*/1);
    if (read < 0) return false;
    at += read;
    if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
      headers.Add({reinterpret_cast<const char*>(header.name), header.namelen},
                  {reinterpret_cast<const char*>(header.value), header.valuelen},
                  (header.flags & NGHTTP2_NV_FLAG_NO_INDEX) == 0);
      if (headers.bytes() > limit) return false;
    }
    if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) {
      nghttp2_hd_inflate_end_headers(inflater_.get());
      return true;
    }
    if ((flags & NGHTTP2_HD_INFLATE_EMIT) == 0 && at == end) return false;
  }
}

HeaderEncoder::HeaderEncoder() {
  nghttp2_hd_deflater* deflater = nullptr;
  if (nghttp2_hd_deflate_new(&deflater, kTableBytes) != 0) throw std::bad_alloc();
  deflater_.reset(deflater);
}

absl::string_view HeaderEncoder::Encode(const HeaderList& headers, absl::string_view timeout) {
  fields_.clear();
  for (size_t i = 0; i < headers.size(); ++i) {
    const absl::string_view name = headers.name(i);
    // Nearly every timeout is another one: in the table it would only displace what comes again.
    const bool is_timeout = name == kTimeoutHeader;
    const absl::string_view value = is_timeout && !timeout.empty() ? timeout : headers.value(i);
    const bool may_be_indexed = headers.may_be_indexed(i) && !is_timeout;
    fields_.push_back({.name = Bytes(name),
                       .value = Bytes(value),
                       .namelen = name.size(),
                       .valuelen = value.size(),
                       .flags = may_be_indexed ? uint8_t{NGHTTP2_NV_FLAG_NONE} : uint8_t{NGHTTP2_NV_FLAG_NO_INDEX}});
  }
  const size_t bound = nghttp2_hd_deflate_bound(deflater_.get(), fields_.data(), fields_.size());
  if (block_.size() < bound) block_.resize(bound);
  const ssize_t size =
      nghttp2_hd_deflate_hd(deflater_.get(), Bytes(block_), block_.size(), fields_.data(), fields_.size());
  if (size < 0) throw std::bad_alloc();  // the block has room
  return absl::string_view(block_).substr(0, static_cast<size_t>(size));
}

void AppendPlainHeader(std::string& block, absl::string_view name, absl::string_view value) {
  block.push_back(0);  // a literal, not for the table, with a name of its own
  AppendLength(block, name.size());
  block.append(name.data(), name.size());
  AppendLength(block, value.size());
  block.append(value.data(), value.size());
}

}  // namespace anybit::server
