#include "server/page/live_page.h"

#include <openssl/sha.h>

#include <array>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/page/page_parts.h"

namespace anybit::server {
namespace {

// A source of a Content-Security-Policy: an inline text with this hash (CSP Level 3, §2.3.1).
std::string HashSource(absl::string_view text) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest;
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return absl::StrCat("'sha256-", absl::Base64Escape({reinterpret_cast<const char*>(digest.data()), digest.size()}),
                      "'");
}

}  // namespace

LivePage::LivePage(PageMode mode) : mode_(mode) {
  document_ = absl::StrCat(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>anybit</title>\n"
      "<link rel=\"icon\" href=\"data:,\">\n<style>",
      kPageStyle, "</style>\n</head>\n<body data-try=\"", mode == PageMode::kTry ? "on" : "off", "\">\n", kPageBody,
      "<script>", kPageScript, "</script>\n</body>\n</html>\n");
  content_policy_ =
      absl::StrCat("default-src 'none'; script-src ", HashSource(kPageScript), "; style-src ", HashSource(kPageStyle),
                   "; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
}

std::optional<HttpAnswer> LivePage::Answer(const HttpHead& head) const {
  if (mode_ == PageMode::kOff || head.path != "/") return std::nullopt;
  if (head.method != "GET" && head.method != "HEAD") {
    return HttpAnswer{.status = 405, .fields = {{"Allow", "GET, HEAD"}}, .body = "only GET and HEAD are answered\n"};
  }
  return HttpAnswer{.content_type = "text/html; charset=utf-8",
                    .fields = {{"Content-Security-Policy", content_policy_},
                               {"X-Content-Type-Options", "nosniff"},
                               {"Referrer-Policy", "no-referrer"},
                               {"Cache-Control", "no-cache"}},
                    .body = document_};
}

}  // namespace anybit::server
