// Messages of the protocol as JSON, as its REST form spells them: field names as in the .proto, 64-bit integers as
// numbers, enumerations by name, every singular field even where it has its default.
//
// google/protobuf/util/json_util.h would write 64-bit integers as strings, which clients of the protocol do not expect.
#ifndef ANYBIT_SERVER_REST_PROTO_JSON_H_
#define ANYBIT_SERVER_REST_PROTO_JSON_H_

#include <google/protobuf/message.h>

#include "base/json.h"

namespace anybit::server {

// Unset messages and unset members of a oneof are left out. A message whose only content is the oneof
// `parameter_choice` (InferParameter and its like) becomes the value of that member. Bytes become a text, in which each
// byte that is not UTF-8 is U+FFFD once the value is written by JsonText.
Json ToJson(const google::protobuf::Message& message);

// One line, without a line end.
std::string JsonText(const Json& value);

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_REST_PROTO_JSON_H_
