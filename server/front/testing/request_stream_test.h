// A RequestStream as a test drives it.
#ifndef ANYBIT_SERVER_FRONT_TESTING_REQUEST_STREAM_TEST_H_
#define ANYBIT_SERVER_FRONT_TESTING_REQUEST_STREAM_TEST_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "server/front/request_stream.h"
#include "server/front/testing/frames.h"

namespace anybit::server::testing {

inline constexpr char kInfer[] = "/service/Infer", kOwn[] = "/service/Own", kLasting[] = "/service/Lasting";
inline constexpr char kOther[] = "/service/Other";

// A connection whose refusals and calls left the test chooses.
class RequestStreamTest : public ::testing::Test {
 protected:
  RequestStreamTest() {
    Take(ClientFrames::Begin());
    responses_.Take(Settings());
    responses_.output().clear();
  }

  // gRPC's first frame.
  static std::string Settings() {
    std::string settings;
    AppendFrame(settings, FrameType::kSettings, 0, 0, "");
    return settings;
  }

  FrontTurn Turn() { return {.now = now_, .calls = calls_, .for_intake = for_intake_, .limit = limit_}; }
  size_t Take(absl::string_view bytes) { return requests_.Take(bytes, arrived_, Turn()); }
  bool Resume() { return requests_.Resume(Turn()); }

  // What gRPC gets of calls: "stream type" of each frame.
  std::vector<std::string> Passed() {
    std::vector<std::string> frames;
    for (const Frame& frame : FramesOf(absl::string_view(requests_.output()).substr(kPreface.size()))) {
      if (frame.head.stream == 0) continue;
      frames.push_back(absl::StrCat(frame.head.stream, frame.head.type == FrameType::kHeaders ? " headers" : " data"));
    }
    return frames;
  }
  // The headers that gRPC gets of the calls, and the client.
  std::vector<Headers> PassedHeaders() {
    return HeadersOf(absl::string_view(requests_.output()).substr(kPreface.size()));
  }
  std::vector<Headers> Answers() { return HeadersOf(responses_.output()); }
  // The frames that the client gets, and those that it has got are forgotten.
  std::vector<Frame> TakeAnswers() { return FramesOf(std::exchange(responses_.output(), "")); }

  static std::vector<Headers> HeadersOf(absl::string_view bytes) {
    HeaderDecoder decoder;
    std::vector<Headers> headers;
    for (const Frame& frame : FramesOf(bytes)) {
      if (frame.head.type == FrameType::kHeaders) headers.push_back(Decode(decoder, frame.payload));
    }
    return headers;
  }

  const std::string refusal_ = RefusalBlock(grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "no"), std::nullopt);
  Duration refuse_below_{};  // calls with less time left
  Duration asked_left_{};
  bool asked_must_ = false;
  FrontRules rules_ = {.own_methods = {kOwn},
                       .lasting_methods = {kLasting},
                       .refused_method = kInfer,
                       .refuse = [this](Duration left, bool must) {
                         asked_left_ = left;
                         asked_must_ = must;
                         return left < refuse_below_ || must ? &refusal_ : nullptr;
                       }};
  MonoTime now_{std::chrono::seconds(1)}, arrived_ = now_;
  int calls_ = 1000;
  int64_t for_intake_ = 0;
  CallLimit limit_{1000};
  ResponseStream responses_{limit_};
  RequestStream requests_{rules_, responses_};
  ClientFrames client_;
};

}  // namespace anybit::server::testing

#endif  // ANYBIT_SERVER_FRONT_TESTING_REQUEST_STREAM_TEST_H_
