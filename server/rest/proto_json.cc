#include "server/rest/proto_json.h"

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace anybit::server {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::OneofDescriptor;
using google::protobuf::Reflection;

// An entry of a repeated field, or with index -1 a singular field.
Json ValueOf(const Message& message, const FieldDescriptor& field, int index) {
  const Reflection& in = *message.GetReflection();
  const bool repeated = index >= 0;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return repeated ? in.GetRepeatedInt32(message, &field, index) : in.GetInt32(message, &field);
    case FieldDescriptor::CPPTYPE_INT64:
      return repeated ? in.GetRepeatedInt64(message, &field, index) : in.GetInt64(message, &field);
    case FieldDescriptor::CPPTYPE_UINT32:
      return repeated ? in.GetRepeatedUInt32(message, &field, index) : in.GetUInt32(message, &field);
    case FieldDescriptor::CPPTYPE_UINT64:
      return repeated ? in.GetRepeatedUInt64(message, &field, index) : in.GetUInt64(message, &field);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return repeated ? in.GetRepeatedDouble(message, &field, index) : in.GetDouble(message, &field);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return repeated ? in.GetRepeatedFloat(message, &field, index) : in.GetFloat(message, &field);
    case FieldDescriptor::CPPTYPE_BOOL:
      return repeated ? in.GetRepeatedBool(message, &field, index) : in.GetBool(message, &field);
    case FieldDescriptor::CPPTYPE_ENUM:
      return (repeated ? in.GetRepeatedEnum(message, &field, index) : in.GetEnum(message, &field))->name();
    case FieldDescriptor::CPPTYPE_STRING:
      return repeated ? in.GetRepeatedString(message, &field, index) : in.GetString(message, &field);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return ToJson(repeated ? in.GetRepeatedMessage(message, &field, index) : in.GetMessage(message, &field));
  }
  return Json();
}

std::string KeyText(const Message& entry, const FieldDescriptor& key) {
  const Json value = ValueOf(entry, key, -1);
  return value.is_string() ? value.get<std::string>() : value.dump();
}

Json ObjectOf(const Message& message, const FieldDescriptor& map) {
  const Reflection& in = *message.GetReflection();
  std::map<std::string, Json> sorted;  // the order within a message is by chance
  for (int i = 0; i < in.FieldSize(message, &map); ++i) {
    const Message& entry = in.GetRepeatedMessage(message, &map, i);
    sorted[KeyText(entry, *map.message_type()->map_key())] = ValueOf(entry, *map.message_type()->map_value(), -1);
  }
  Json object = Json::object();
  for (auto& [key, value] : sorted) object[key] = std::move(value);
  return object;
}

Json ArrayOf(const Message& message, const FieldDescriptor& field) {
  Json array = Json::array();
  for (int i = 0; i < message.GetReflection()->FieldSize(message, &field); ++i) {
    array.push_back(ValueOf(message, field, i));
  }
  return array;
}

}  // namespace

Json ToJson(const Message& message) {
  const Reflection& in = *message.GetReflection();
  if (const OneofDescriptor* choice = message.GetDescriptor()->FindOneofByName("parameter_choice")) {
    const FieldDescriptor* chosen = in.GetOneofFieldDescriptor(message, choice);
    return chosen == nullptr ? Json() : ValueOf(message, *chosen, -1);
  }
  Json object = Json::object();
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor& field = *message.GetDescriptor()->field(i);
    if (field.is_map()) {
      object[field.name()] = ObjectOf(message, field);
    } else if (field.is_repeated()) {
      object[field.name()] = ArrayOf(message, field);
    } else if (!field.has_presence() || in.HasField(message, &field)) {
      object[field.name()] = ValueOf(message, field, -1);
    }
  }
  return object;
}

std::string JsonText(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace anybit::server
