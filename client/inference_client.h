// A client of the Open Inference Protocol over gRPC, for a model that takes rows of bytes and answers rows of floats.
//
// It reads the description of the model from the server (ModelMetadata), sends raw tensors, and turns the parameters
// that the scheduler adds to a response into a struct. It never retries: the caller alone knows whether a late answer
// is still of use. All methods may be called from any thread.
#ifndef ANYBIT_CLIENT_INFERENCE_CLIENT_H_
#define ANYBIT_CLIENT_INFERENCE_CLIENT_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace anybit::client {

struct ClientOptions {
  std::string model;  // empty: the first that the server lists as ready
  // How long Connect may take, all calls of it together.
  std::chrono::milliseconds connect_timeout{5000};
};

// The model as the server describes it.
struct ModelDescription {
  std::string name;
  std::string version;
  std::string platform;
  std::string input_name;
  std::vector<int64_t> row_shape;  // of one input row, such as {32, 32, 1}
  int64_t row_bytes = 0;           // the product of row_shape
  std::string output_name;
  int64_t classes = 0;
  std::vector<std::string> labels;  // one per class, or none
  std::map<std::string, std::string> properties;
};

// What a request asks for. Unset members are left to the server.
struct InferOptions {
  // The answer is wanted within this time of its arrival at the server (parameter `timeout`); zero: no deadline.
  std::chrono::microseconds deadline{0};
  // The call is given up after this time (the gRPC deadline): later than `deadline`, so that late answers are seen.
  std::chrono::milliseconds give_up_after{60'000};
  std::optional<int64_t> min_accuracy_bp;
  std::optional<int64_t> min_bits;
  std::string operating_point;  // pins one, such as "w4a4f"
  std::string sla_class;
  std::string tenant;
};

// How the rows of one call were served. Members the server did not send are unset.
struct ServedAs {
  std::string operating_point;
  std::optional<int64_t> bits;
  std::optional<int64_t> expected_accuracy_bp;
  std::optional<std::chrono::microseconds> queue;
  std::optional<std::chrono::microseconds> compute;
  std::optional<int64_t> batch_size;
  std::optional<bool> deadline_met;
};

// An answer whose true class is known.
struct LabelledAnswer {
  std::string operating_point;
  int64_t predicted = 0;
  int64_t label = 0;
};

struct InferResult {
  int64_t rows = 0;
  int64_t classes = 0;
  std::vector<float> logits;  // [rows][classes]
  ServedAs served;
};

// The most likely class of a row of logits, and its softmax probability. `logits` is not empty.
struct TopClass {
  int index = 0;
  double probability = 0;
};
TopClass TopOf(std::span<const float> logits);

class InferenceClient {
 public:
  // Called exactly once, on a thread of gRPC's: it must not block.
  using Done = absl::AnyInvocable<void(absl::StatusOr<InferResult>)>;

  // Blocks until the model's description is here. InvalidArgument unless `address` is as ParseServerAddress of
  // connection.h says ("127.0.0.1:8001"); Unavailable, with the reason and as soon as it is known, where there is no
  // server; NotFound where the server has no ready model; FailedPrecondition where the model does not take u8 rows and
  // answer float rows.
  static absl::StatusOr<std::unique_ptr<InferenceClient>> Connect(const std::string& address,
                                                                  const ClientOptions& options = {});

  // Waits for the calls that are under way.
  ~InferenceClient();
  InferenceClient(const InferenceClient&) = delete;
  InferenceClient& operator=(const InferenceClient&) = delete;

  const ModelDescription& model() const;

  // `rows` holds whole rows of model().row_bytes each, at least one; else InvalidArgument. Any other error is the
  // server's own, with its code and text.
  absl::StatusOr<InferResult> Infer(std::span<const uint8_t> rows, const InferOptions& options = {});

  // The same without blocking; `rows` is copied before this returns.
  void InferAsync(std::span<const uint8_t> rows, const InferOptions& options, Done done);

  // Tells the server the true classes of answers, at most 10,000 (anybit.v1.Feedback). Unimplemented where the server
  // does not take them.
  absl::Status Report(std::span<const LabelledAnswer> answers,
                      std::chrono::milliseconds timeout = std::chrono::milliseconds(5000));

  // Ends the inference calls under way, and each later one at once, with Cancelled.
  void Cancel();

  struct ServerStatus {
    bool live = false;
    bool ready = false;
    std::string name;
    std::string version;
    std::vector<std::string> extensions;
  };
  absl::StatusOr<ServerStatus> Status(std::chrono::milliseconds timeout = std::chrono::milliseconds(5000));

 private:
  class Impl;
  explicit InferenceClient(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace anybit::client

#endif  // ANYBIT_CLIENT_INFERENCE_CLIENT_H_
