// The page at /: what the server does, live, and a box to try it. One HTML document that loads nothing else.
//
// Its parts lie beside this file (body.html, style.css, *.js) and are built into the program. The page holds no
// secrets: what it shows it asks from /metrics and /v2, with a token where one is demanded.
#ifndef ANYBIT_SERVER_PAGE_LIVE_PAGE_H_
#define ANYBIT_SERVER_PAGE_LIVE_PAGE_H_

#include <optional>
#include <string>

#include "server/http/http_server.h"
#include "server/page/page_mode.h"

namespace anybit::server {

// Any thread.
class LivePage {
 public:
  explicit LivePage(PageMode mode);

  // None if the path is not the page's, or if there is no page.
  std::optional<HttpAnswer> Answer(const HttpHead& head) const;

 private:
  const PageMode mode_;
  std::string document_;
  // Permits this document's script and style, by their hashes, and requests to this server.
  std::string content_policy_;
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_PAGE_LIVE_PAGE_H_
