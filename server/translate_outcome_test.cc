#include "server/translate_outcome.h"

#include <chrono>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/inference_payload.h"
#include "server/testing/infer_request.h"
#include "server/testing/sum_network.h"

namespace anybit::server {
namespace {

using std::chrono::microseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Model;
using testing::SumNetwork;

scheduler::Outcome ServedOutcome(std::vector<float> logits) {
  auto payload = std::make_unique<InferencePayload>();
  payload->output = std::move(logits);
  return {.kind = scheduler::OutcomeKind::kServed,
          .point = ToPointId(SumNetwork::kW4a4f),
          .expected_accuracy = 0.9,
          .batch_rows = 3,
          .queue_time = microseconds(120),
          .compute_time = microseconds(3400),
          .deadline_met = true,
          .payload = std::move(payload)};
}

// The elements of a raw BYTES tensor.
std::vector<std::string> Elements(const std::string& raw) {
  std::vector<std::string> elements;
  for (size_t at = 0; at + 4 <= raw.size();) {
    uint32_t length = 0;
    std::memcpy(&length, raw.data() + at, 4);
    elements.push_back(raw.substr(at + 4, length));
    at += 4 + length;
  }
  return elements;
}

TEST(TranslateOutcomeTest, AResponseTellsHowItWasServed) {
  const auto response = TranslateOutcome(ServedOutcome({1, 2, 3}), {.request_id = "my id", .rows = 1}, Model());
  EXPECT_EQ(response.model_name(), "sums");
  EXPECT_EQ(response.model_version(), "7");
  EXPECT_EQ(response.id(), "my id");
  const auto& parameters = response.parameters();
  EXPECT_EQ(parameters.at("operating_point").string_param(), "w4a4f");
  EXPECT_EQ(parameters.at("bits").int64_param(), 4);
  EXPECT_EQ(parameters.at("expected_accuracy_bp").int64_param(), 9000);
  EXPECT_EQ(parameters.at("queue_us").int64_param(), 120);
  EXPECT_EQ(parameters.at("compute_us").int64_param(), 3400);
  EXPECT_EQ(parameters.at("batch_size").int64_param(), 3);
  EXPECT_TRUE(parameters.at("deadline_met").bool_param());
}

TEST(TranslateOutcomeTest, LogitsAreAnsweredRaw) {
  const std::vector<float> logits = {1.5f, -2, 3, 4, 5, 6};
  const auto response = TranslateOutcome(ServedOutcome(logits), {.rows = 2}, Model());
  ASSERT_EQ(response.outputs_size(), 1);
  EXPECT_EQ(response.outputs(0).name(), "logits");
  EXPECT_EQ(response.outputs(0).datatype(), "FP32");
  EXPECT_THAT(response.outputs(0).shape(), ElementsAre(2, 3));
  EXPECT_FALSE(response.outputs(0).has_contents());
  ASSERT_EQ(response.raw_output_contents_size(), 1);
  ASSERT_EQ(response.raw_output_contents(0).size(), 24u);
  EXPECT_EQ(std::memcmp(response.raw_output_contents(0).data(), logits.data(), 24), 0);
}

TEST(TranslateOutcomeTest, AClassificationIsTextHighestFirstForEachRow) {
  const auto response = TranslateOutcome(ServedOutcome({1, 3, 2, 9, 7, 8}), {.rows = 2, .top_classes = 2}, Model());
  EXPECT_EQ(response.outputs(0).datatype(), "BYTES");
  EXPECT_THAT(response.outputs(0).shape(), ElementsAre(2, 2));
  EXPECT_THAT(Elements(response.raw_output_contents(0)),
              ElementsAre("3.000000:1:one", "2.000000:2:two", "9.000000:0:zero", "8.000000:2:two"));
}

TEST(TranslateOutcomeTest, AClassificationHasATotalOrderEvenOfNotANumber) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto response = TranslateOutcome(ServedOutcome({nan, 1, 1}), {.rows = 1, .top_classes = 3}, Model());
  EXPECT_THAT(Elements(response.raw_output_contents(0)),
              ElementsAre("1.000000:1:one", "1.000000:2:two", HasSubstr("nan:0")));
}

}  // namespace
}  // namespace anybit::server
