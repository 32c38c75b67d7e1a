// W3C's header traceparent (Trace Context, level 1): "00-<trace id>-<parent id>-<flags>", in lower-case hexadecimal.
#ifndef ANYBIT_SERVER_TRACE_PARENT_H_
#define ANYBIT_SERVER_TRACE_PARENT_H_

#include "absl/strings/string_view.h"

namespace anybit::server {

// Whether `text` is such a header of version 00, with ids that are not 0.
bool IsTraceParent(absl::string_view text);

// The trace id in it, 32 digits; "" if it is none.
absl::string_view TraceIdOf(absl::string_view trace_parent);

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_TRACE_PARENT_H_
