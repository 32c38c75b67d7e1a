#include "server/front/header_block.h"

#include "absl/algorithm/container.h"

namespace anybit::server {
namespace {

// Of each table: the protocol's initial value, which gRPC's server does not change.
constexpr size_t kTableBytes = 4096;

// Of RFC 7541: representations by their first bits, and entries of the static table.
constexpr uint8_t kIndexed = 0x80, kAdded = 0x40, kNeverIndexed = 0x10, kPlain = 0;
constexpr size_t kStaticEntries = 61;

// `bits` of the first byte hold the number, if it is small enough; the others are `first`.
void AppendNumber(std::string& block, uint8_t first, int bits, size_t number) {
  const size_t most = (size_t{1} << bits) - 1;
  if (number < most) {
    block.push_back(static_cast<char>(first | number));
    return;
  }
  block.push_back(static_cast<char>(first | most));
  for (number -= most; number >= 128; number /= 128) block.push_back(static_cast<char>(number % 128 | 128));
  block.push_back(static_cast<char>(number));
}

void AppendText(std::string& block, absl::string_view text) {
  AppendNumber(block, 0, 7, text.size());  // the eighth bit would say that Huffman's code follows
  block.append(text.data(), text.size());
}

// A header with a name of its own.
void AppendLiteral(std::string& block, uint8_t kind, absl::string_view name, absl::string_view value) {
  block.push_back(static_cast<char>(kind));
  AppendText(block, name);
  AppendText(block, value);
}

// Whether a block refers to the table only, by one byte a header.
bool HasReferencesOnly(absl::string_view block) {
  return !block.empty() && absl::c_all_of(block, [](char c) {
    const auto byte = static_cast<uint8_t>(c);
    return byte > kIndexed && byte < 0xff;
  });
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
  if (block == references_ && !references_.empty() && referred_.bytes() <= limit && headers.size() == 0) {
    headers = referred_;
    return true;
  }
  references_.clear();
  if (!Inflate(block, limit, headers)) return false;
  if (HasReferencesOnly(block)) {
    referred_ = headers;
    references_.assign(block.data(), block.size());
  }
  return true;
}

bool HeaderDecoder::Inflate(absl::string_view block, size_t limit, HeaderList& headers) {
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

absl::string_view HeaderEncoder::Encode(const HeaderList& headers, absl::string_view timeout, Replacement replacement) {
  block_.clear();
  for (size_t i = 0; i < headers.size(); ++i) {
    const absl::string_view name = headers.name(i);
    if (!replacement.name.empty() && name == replacement.name) continue;
    if (name == kTimeoutHeader) {
      // Nearly every timeout is another one: in the table it would only displace what comes again.
      AppendLiteral(block_, headers.may_be_indexed(i) ? kPlain : kNeverIndexed, name,
                    timeout.empty() ? headers.value(i) : timeout);
    } else if (!headers.may_be_indexed(i)) {
      AppendLiteral(block_, kNeverIndexed, name, headers.value(i));
    } else {
      Append(name, headers.value(i));
    }
  }
  if (!replacement.name.empty()) Append(replacement.name, replacement.value);
  return block_;
}

// By reference, or as another entry of the table.
void HeaderEncoder::Append(absl::string_view name, absl::string_view value) {
  for (size_t i = 0; i < table_.size(); ++i) {
    if (table_[i].value == value && table_[i].name == name) {
      return AppendNumber(block_, kIndexed, 7, kStaticEntries + 1 + i);
    }
  }
  const size_t bytes = HeaderBytes(name, value);
  if (bytes > kTableBytes) return AppendLiteral(block_, kPlain, name, value);  // it would empty the table
  while (table_bytes_ + bytes > kTableBytes) {
    table_bytes_ -= HeaderBytes(table_.back().name, table_.back().value);
    table_.pop_back();
  }
  table_.push_front({std::string(name), std::string(value)});
  table_bytes_ += bytes;
  AppendLiteral(block_, kAdded, name, value);
}

void AppendPlainHeader(std::string& block, absl::string_view name, absl::string_view value) {
  AppendLiteral(block, kPlain, name, value);
}

}  // namespace anybit::server
