#include "server/parameters.h"

#include <cstdint>
#include <limits>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/status/status.h"

namespace anybit::server {
namespace {

using inference::InferParameter;
using ::testing::HasSubstr;

Parameters With(const std::string& name, const InferParameter& value) {
  Parameters parameters;
  parameters[name] = value;
  return parameters;
}

InferParameter Int64(int64_t value) {
  InferParameter parameter;
  parameter.set_int64_param(value);
  return parameter;
}

InferParameter String(const std::string& value) {
  InferParameter parameter;
  parameter.set_string_param(value);
  return parameter;
}

InferParameter Bool(bool value) {
  InferParameter parameter;
  parameter.set_bool_param(value);
  return parameter;
}

void ExpectRefused(const absl::Status& status, const std::string& part_of_message) {
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << part_of_message;
  EXPECT_THAT(std::string(status.message()), HasSubstr(part_of_message));
}

TEST(ParametersTest, AnAbsentParameterHasNoValue) {
  const auto text = StringParameter({}, "operating_point");
  ASSERT_TRUE(text.ok());
  EXPECT_FALSE(text->has_value());
  const auto number = BoundedParameter({}, "min_bits", 0, 32);
  ASSERT_TRUE(number.ok());
  EXPECT_FALSE(number->has_value());
}

TEST(ParametersTest, ValuesAreReadWithinTheirBounds) {
  EXPECT_EQ(StringParameter(With("a", String("b")), "a")->value(), "b");
  EXPECT_EQ(BoundedParameter(With("a", Int64(0)), "a", 0, 32)->value(), 0);
  EXPECT_EQ(BoundedParameter(With("a", Int64(32)), "a", 0, 32)->value(), 32);
  ExpectRefused(BoundedParameter(With("a", Int64(33)), "a", 0, 32).status(),
                "invalid value for 'a': 33, expected 0 to 32.");
  ExpectRefused(BoundedParameter(With("a", Int64(0)), "a", 1, std::numeric_limits<int64_t>::max()).status(),
                "invalid value for 'a': 0, expected value >= 1.");
}

TEST(ParametersTest, AValueOfAnotherTypeIsRefused) {
  ExpectRefused(BoundedParameter(With("timeout", String("1")), "timeout", 0, 9).status(),
                "invalid value type for 'timeout' parameter, expected int64_param.");
  ExpectRefused(StringParameter(With("tenant", Int64(1)), "tenant").status(),
                "invalid value type for 'tenant' parameter, expected string_param.");
}

TEST(ParametersTest, ParametersOfOtherServersAreAccepted) {
  Parameters parameters;
  parameters["priority"].set_uint64_param(std::numeric_limits<uint64_t>::max());
  parameters["sequence_id"] = String("a");
  parameters["sequence_start"] = Bool(true);
  parameters["triton_enable_empty_final_response"] = Bool(true);
  parameters["custom"].set_double_param(0.5);
  for (int i = 0; i < 10000; ++i) parameters[std::to_string(i)] = Int64(i);
  EXPECT_TRUE(CheckForeignParameters(parameters).ok());
}

TEST(ParametersTest, ParametersOfOtherServersHaveTheirTypes) {
  ExpectRefused(CheckForeignParameters(With("priority", String("1"))),
                "invalid value type for 'priority' parameter, expected int64_param or uint64_param.");
  ExpectRefused(CheckForeignParameters(With("priority", Int64(-1))),
                "invalid value for 'priority', expected value >= 0.");
  ExpectRefused(CheckForeignParameters(With("sequence_start", Int64(1))), "expected bool_param");
  ExpectRefused(CheckForeignParameters(With("sequence_id", Bool(true))), "expected int64_param or string_param");
}

TEST(ParametersTest, CustomParametersHaveOneOfFourTypes) {
  InferParameter unsigned_number;
  unsigned_number.set_uint64_param(1);
  ExpectRefused(CheckForeignParameters(With("custom", unsigned_number)), "'custom'");
  ExpectRefused(CheckForeignParameters(With("custom", InferParameter())), "'custom'");
}

TEST(ParametersTest, ReservedKeysAreRefused) {
  ExpectRefused(CheckForeignParameters(With("triton_other", Int64(1))), "'triton_other'");
}

TEST(ParametersTest, SharedMemoryIsRefusedWithTheTensorsName) {
  EXPECT_TRUE(RefuseSharedMemory(With("custom", Int64(1)), "image").ok());
  for (const char* name : {"shared_memory_region", "shared_memory_byte_size", "shared_memory_offset"}) {
    ExpectRefused(RefuseSharedMemory(With(name, Int64(0)), "image"), "of tensor 'image': this server has no shared");
  }
}

}  // namespace
}  // namespace anybit::server
