// Calls of several SLA classes and tenants in one load.
#ifndef ANYBIT_CLIENT_LOAD_MIX_H_
#define ANYBIT_CLIENT_LOAD_MIX_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/inference_client.h"

namespace anybit::client {

struct RequestKind {
  std::string name;  // as it was written, without its weight: "interactive/search@50"
  InferOptions request;
  double weight = 1;  // its share of the calls, relative to the others'
};

// From text such as "interactive/search@50:3,batch@1000:1": CLASS[/TENANT][@DEADLINE_MS][:WEIGHT], separated by commas.
// Parts that a kind leaves out are those of `base`; an empty text is one kind, `base`, without a name. InvalidArgument,
// naming the part, for anything else and for a name that comes twice.
absl::StatusOr<std::vector<RequestKind>> ParseMix(const std::string& text, const InferOptions& base);

}  // namespace anybit::client

#endif  // ANYBIT_CLIENT_LOAD_MIX_H_
