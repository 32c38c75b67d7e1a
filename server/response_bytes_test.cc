#include "server/response_bytes.h"

#include <google/protobuf/util/message_differencer.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "server/inference_payload.h"
#include "server/testing/infer_request.h"

namespace anybit::server {
namespace {

using google::protobuf::util::MessageDifferencer;
using inference::ModelInferResponse;

scheduler::Outcome Served(int rows) {
  auto payload = std::make_unique<InferencePayload>();
  for (int i = 0; i < 3 * rows; ++i) payload->output.push_back(static_cast<float>(i) / 7);
  scheduler::Outcome outcome{.kind = scheduler::OutcomeKind::kServed,
                             .point = ToPointId(1),
                             .expected_accuracy = 0.9234,
                             .batch_rows = 300,
                             .queue_time = std::chrono::microseconds(1'234'567),
                             .compute_time = std::chrono::microseconds(89),
                             .deadline_met = true};
  outcome.payload = std::move(payload);
  return outcome;
}

// The bytes, read by protobuf, are the message that TranslateOutcome makes.
void ExpectTheSame(const scheduler::Outcome& outcome, const ResponseForm& form) {
  const ServedModel model = testing::Model();
  ModelInferResponse read;
  ASSERT_TRUE(read.ParseFromString(ResponseBytes(outcome, form, model)));
  const ModelInferResponse expected = TranslateOutcome(outcome, form, model);
  EXPECT_TRUE(MessageDifferencer::Equals(read, expected)) << read.DebugString() << expected.DebugString();
}

TEST(ResponseBytesTest, AreThoseOfTheMessage) {
  ExpectTheSame(Served(1), {.request_id = "some id", .rows = 1});
  ExpectTheSame(Served(3), {.request_id = std::string(300, 'i'), .rows = 3});
}

TEST(ResponseBytesTest, ValuesOfZeroAndEmptyTextsAreThoseOfTheMessageToo) {
  scheduler::Outcome outcome = Served(1);
  outcome.deadline_met = false;
  outcome.queue_time = Duration::zero();
  outcome.expected_accuracy = 0;
  ExpectTheSame(outcome, {.request_id = "", .rows = 1});
}

TEST(ResponseBytesTest, SoAreClassesAsTexts) {
  ExpectTheSame(Served(2), {.request_id = "7", .rows = 2, .top_classes = 2});
}

}  // namespace
}  // namespace anybit::server
