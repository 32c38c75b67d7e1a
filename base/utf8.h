// UTF-8 (RFC 3629), the encoding that protocol buffers and JSON demand of text.
#ifndef ANYBIT_BASE_UTF8_H_
#define ANYBIT_BASE_UTF8_H_

#include <string>
#include <string_view>

namespace anybit {

// No overlong form, no surrogate, nothing above U+10FFFF.
bool IsValidUtf8(std::string_view text);

// The text with U+FFFD in the place of each byte that is part of no valid character.
std::string ToValidUtf8(std::string_view text);

}  // namespace anybit

#endif  // ANYBIT_BASE_UTF8_H_
