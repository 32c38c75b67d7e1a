#include "client/inference_client.h"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "client/connection.h"
#include "proto/feedback.grpc.pb.h"
#include "proto/inference.grpc.pb.h"

namespace anybit::client {
namespace {

// Raw tensors are little-endian on the wire and are copied as they stand.
static_assert(std::endian::native == std::endian::little);

using ::inference::GRPCInferenceService;
using ::inference::InferParameter;
using ::inference::ModelInferRequest;
using ::inference::ModelInferResponse;
using ::inference::ModelMetadataResponse;
using Parameters = google::protobuf::Map<std::string, InferParameter>;

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  // The two enumerations have the same numbers.
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

std::chrono::system_clock::time_point After(std::chrono::milliseconds timeout) {
  return std::chrono::system_clock::now() + timeout;
}

// `labels_json` is a JSON array of strings; other servers, and ours before it had that, send `labels`, joined by
// commas. None where it cannot be read.
std::vector<std::string> LabelsOf(const std::map<std::string, std::string>& properties) {
  std::vector<std::string> labels;
  if (const auto json = properties.find("labels_json"); json != properties.end()) {
    google::protobuf::ListValue list;
    if (!google::protobuf::util::JsonStringToMessage(json->second, &list).ok()) return {};
    for (const google::protobuf::Value& label : list.values()) {
      if (label.kind_case() != google::protobuf::Value::kStringValue) return {};
      labels.push_back(label.string_value());
    }
  } else if (const auto joined = properties.find("labels"); joined != properties.end()) {
    labels = absl::StrSplit(joined->second, ',');
  }
  return labels;
}

absl::StatusOr<ModelDescription> Describe(const ModelMetadataResponse& metadata) {
  const auto unfit = [&](const std::string& why) {
    return absl::FailedPreconditionError(absl::StrCat("model '", metadata.name(), "' ", why));
  };
  if (metadata.inputs_size() != 1 || metadata.outputs_size() != 1) {
    return unfit(absl::StrCat("has ", metadata.inputs_size(), " inputs and ", metadata.outputs_size(),
                              " outputs; this client speaks of one each"));
  }
  const ModelMetadataResponse::TensorMetadata& input = metadata.inputs(0);
  const ModelMetadataResponse::TensorMetadata& output = metadata.outputs(0);
  if (input.datatype() != "UINT8" || output.datatype() != "FP32") {
    return unfit(absl::StrCat("takes ", input.datatype(), " and answers ", output.datatype(),
                              "; this client sends UINT8 and reads FP32"));
  }
  if (input.shape_size() < 2 || input.shape(0) != -1 || output.shape_size() != 2 || output.shape(0) != -1) {
    return unfit(absl::StrCat("has shapes [", absl::StrJoin(input.shape(), ","), "] and [",
                              absl::StrJoin(output.shape(), ","), "]; expected [-1,...] and [-1,classes]"));
  }
  ModelDescription model;
  model.name = metadata.name();
  if (!metadata.versions().empty()) model.version = metadata.versions(metadata.versions_size() - 1);
  model.platform = metadata.platform();
  model.input_name = input.name();
  model.row_bytes = 1;
  for (const int64_t dim : std::span(input.shape().data(), input.shape_size()).subspan(1)) {
    // Each factor and the product stay below 2^30, far from overflow.
    if (dim < 1 || dim > (int64_t{1} << 30) / model.row_bytes) {
      return unfit(absl::StrCat("has input shape [", absl::StrJoin(input.shape(), ","), "]"));
    }
    model.row_shape.push_back(dim);
    model.row_bytes *= dim;
  }
  model.output_name = output.name();
  model.classes = output.shape(1);
  if (model.classes < 1 || model.classes > (1 << 24)) return unfit(absl::StrCat("has ", model.classes, " classes"));
  model.properties = {metadata.properties().begin(), metadata.properties().end()};
  model.labels = LabelsOf(model.properties);
  if (static_cast<int64_t>(model.labels.size()) != model.classes) model.labels.clear();
  return model;
}

ModelInferRequest BuildRequest(const ModelDescription& model, std::span<const uint8_t> rows,
                               const InferOptions& options) {
  ModelInferRequest request;
  request.set_model_name(model.name);
  ModelInferRequest::InferInputTensor& input = *request.add_inputs();
  input.set_name(model.input_name);
  input.set_datatype("UINT8");
  input.add_shape(static_cast<int64_t>(rows.size()) / model.row_bytes);
  for (const int64_t dim : model.row_shape) input.add_shape(dim);
  request.add_raw_input_contents(rows.data(), rows.size());

  Parameters& parameters = *request.mutable_parameters();
  if (options.deadline.count() != 0) parameters["timeout"].set_int64_param(options.deadline.count());
  if (options.min_accuracy_bp) parameters["min_accuracy_bp"].set_int64_param(*options.min_accuracy_bp);
  if (options.min_bits) parameters["min_bits"].set_int64_param(*options.min_bits);
  if (!options.operating_point.empty()) parameters["operating_point"].set_string_param(options.operating_point);
  if (!options.sla_class.empty()) parameters["sla_class"].set_string_param(options.sla_class);
  if (!options.tenant.empty()) parameters["tenant"].set_string_param(options.tenant);
  return request;
}

std::optional<int64_t> Int64Parameter(const Parameters& parameters, const char* key) {
  const auto found = parameters.find(key);
  if (found == parameters.end() || !found->second.has_int64_param()) return std::nullopt;
  return found->second.int64_param();
}

std::optional<std::chrono::microseconds> MicrosParameter(const Parameters& parameters, const char* key) {
  const std::optional<int64_t> value = Int64Parameter(parameters, key);
  if (!value) return std::nullopt;
  return std::chrono::microseconds(*value);
}

ServedAs ReadServedAs(const Parameters& parameters) {
  ServedAs served;
  if (const auto point = parameters.find("operating_point"); point != parameters.end()) {
    served.operating_point = point->second.string_param();
  }
  served.bits = Int64Parameter(parameters, "bits");
  served.expected_accuracy_bp = Int64Parameter(parameters, "expected_accuracy_bp");
  served.queue = MicrosParameter(parameters, "queue_us");
  served.compute = MicrosParameter(parameters, "compute_us");
  served.batch_size = Int64Parameter(parameters, "batch_size");
  if (const auto met = parameters.find("deadline_met"); met != parameters.end() && met->second.has_bool_param()) {
    served.deadline_met = met->second.bool_param();
  }
  return served;
}

// A server is not trusted more than a file: an answer that does not fit the question is Internal.
absl::StatusOr<InferResult> ReadResponse(const ModelDescription& model, int64_t rows,
                                         const ModelInferResponse& response) {
  if (response.outputs_size() != 1 || response.raw_output_contents_size() != 1) {
    return absl::InternalError(absl::StrCat("the server answered ", response.outputs_size(), " outputs and ",
                                            response.raw_output_contents_size(), " raw contents, expected one each"));
  }
  const ModelInferResponse::InferOutputTensor& output = response.outputs(0);
  if (output.datatype() != "FP32" || output.shape_size() != 2 || output.shape(0) != rows ||
      output.shape(1) != model.classes) {
    return absl::InternalError(absl::StrCat("the server answered ", output.datatype(), " [",
                                            absl::StrJoin(output.shape(), ","), "], expected FP32 [", rows, ",",
                                            model.classes, "]"));
  }
  const std::string& raw = response.raw_output_contents(0);
  InferResult result{.rows = rows, .classes = model.classes};
  if (raw.size() != static_cast<size_t>(rows * model.classes) * sizeof(float)) {
    return absl::InternalError(
        absl::StrCat("the server answered ", raw.size(), " bytes for [", rows, ",", model.classes, "] floats"));
  }
  result.logits.resize(rows * model.classes);
  std::memcpy(result.logits.data(), raw.data(), raw.size());
  result.served = ReadServedAs(response.parameters());
  return result;
}

absl::Status CheckRows(const ModelDescription& model, size_t bytes) {
  if (bytes == 0 || bytes % model.row_bytes != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(bytes, " bytes are not whole rows of ", model.row_bytes, " bytes, at least one"));
  }
  // Protobuf cannot carry more.
  if (bytes > static_cast<size_t>(std::numeric_limits<int32_t>::max()) - (1 << 20)) {
    return absl::InvalidArgumentError(absl::StrCat(bytes, " bytes are more than one gRPC message holds"));
  }
  return absl::OkStatus();
}

}  // namespace

TopClass TopOf(std::span<const float> logits) {
  const auto top = std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - *top);
  return {.index = static_cast<int>(top - logits.begin()), .probability = 1 / sum};
}

class InferenceClient::Impl {
 public:
  Impl(std::shared_ptr<grpc::Channel> channel, ModelDescription model)
      : model_(std::move(model)),
        stub_(GRPCInferenceService::NewStub(channel)),
        feedback_(anybit::v1::Feedback::NewStub(std::move(channel))) {}

  ~Impl() {
    const auto none = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return calls_.empty(); };
    absl::MutexLock lock(&mutex_, absl::Condition(&none));
  }

  const ModelDescription& model() const { return model_; }
  GRPCInferenceService::Stub& stub() { return *stub_; }
  anybit::v1::Feedback::Stub& feedback() { return *feedback_; }

  void InferAsync(std::span<const uint8_t> rows, const InferOptions& options, Done done) {
    auto owner = std::make_shared<Call>();
    Call* const call = owner.get();
    call->request = BuildRequest(model_, rows, options);
    call->rows = static_cast<int64_t>(rows.size()) / model_.row_bytes;
    call->done = std::move(done);
    call->context.set_deadline(After(options.give_up_after));
    {
      absl::MutexLock lock(&mutex_);
      calls_[call] = std::move(owner);
      if (cancelled_) call->context.TryCancel();
    }
    stub_->async()->ModelInfer(&call->context, &call->request, &call->response,
                               [this, call](grpc::Status status) { Finish(call, status); });
  }

  void Cancel() {
    std::vector<std::shared_ptr<Call>> calls;
    {
      absl::MutexLock lock(&mutex_);
      cancelled_ = true;
      for (const auto& [call, owner] : calls_) calls.push_back(owner);
    }
    // Without the mutex, which a call takes when it ends: that may be within TryCancel.
    for (const std::shared_ptr<Call>& call : calls) call->context.TryCancel();
  }

 private:
  struct Call {
    grpc::ClientContext context;
    ModelInferRequest request;
    ModelInferResponse response;
    int64_t rows = 0;
    Done done;
  };

  void Finish(Call* call, const grpc::Status& status) {
    Done done = std::move(call->done);
    if (status.ok()) {
      done(ReadResponse(model_, call->rows, call->response));
    } else {
      done(FromGrpc(status));
    }
    // With the call goes its hold on the channel, which must not end on this thread of gRPC's: the destructor waits.
    absl::MutexLock lock(&mutex_);
    calls_.erase(call);
  }

  const ModelDescription model_;
  const std::unique_ptr<GRPCInferenceService::Stub> stub_;
  const std::unique_ptr<anybit::v1::Feedback::Stub> feedback_;

  absl::Mutex mutex_;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  // Under way; shared with Cancel.
  absl::flat_hash_map<Call*, std::shared_ptr<Call>> calls_ ABSL_GUARDED_BY(mutex_);
};

InferenceClient::InferenceClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
InferenceClient::~InferenceClient() = default;

absl::StatusOr<std::unique_ptr<InferenceClient>> InferenceClient::Connect(const std::string& address,
                                                                          const ClientOptions& options) {
  const absl::StatusOr<ServerAddress> server = ParseServerAddress(address);
  if (!server.ok()) return server.status();
  const std::shared_ptr<grpc::Channel> channel = OpenChannel(*server);
  const std::unique_ptr<GRPCInferenceService::Stub> stub = GRPCInferenceService::NewStub(channel);
  const std::chrono::system_clock::time_point deadline = After(options.connect_timeout);
  const auto explained = [&](const grpc::Status& status) {
    return ExplainFirstCall(*server, status, options.connect_timeout);
  };

  inference::ModelMetadataRequest request;
  request.set_name(options.model);
  if (options.model.empty()) {
    grpc::ClientContext context;
    context.set_deadline(deadline);
    inference::RepositoryIndexRequest ready;
    ready.set_ready(true);
    inference::RepositoryIndexResponse index;
    if (absl::Status status = explained(stub->RepositoryIndex(&context, ready, &index)); !status.ok()) return status;
    if (index.models().empty()) return absl::NotFoundError("the server has no ready model");
    request.set_name(index.models(0).name());
  }
  grpc::ClientContext context;
  context.set_deadline(deadline);
  ModelMetadataResponse metadata;
  if (absl::Status status = explained(stub->ModelMetadata(&context, request, &metadata)); !status.ok()) return status;
  absl::StatusOr<ModelDescription> model = Describe(metadata);
  if (!model.ok()) return model.status();
  return std::unique_ptr<InferenceClient>(new InferenceClient(std::make_unique<Impl>(channel, *std::move(model))));
}

const ModelDescription& InferenceClient::model() const { return impl_->model(); }

absl::StatusOr<InferResult> InferenceClient::Infer(std::span<const uint8_t> rows, const InferOptions& options) {
  absl::StatusOr<InferResult> result;
  absl::Notification done;
  InferAsync(rows, options, [&](absl::StatusOr<InferResult> answer) {
    result = std::move(answer);
    done.Notify();
  });
  done.WaitForNotification();
  return result;
}

void InferenceClient::InferAsync(std::span<const uint8_t> rows, const InferOptions& options, Done done) {
  if (absl::Status status = CheckRows(model(), rows.size()); !status.ok()) return done(status);
  impl_->InferAsync(rows, options, std::move(done));
}

absl::Status InferenceClient::Report(std::span<const LabelledAnswer> answers, std::chrono::milliseconds timeout) {
  anybit::v1::ReportRequest request;
  request.set_model_name(model().name);
  for (const LabelledAnswer& answer : answers) {
    anybit::v1::LabelledAnswer& reported = *request.add_answers();
    reported.set_operating_point(answer.operating_point);
    reported.set_predicted(answer.predicted);
    reported.set_label(answer.label);
  }
  grpc::ClientContext context;
  context.set_deadline(After(timeout));
  anybit::v1::ReportResponse response;
  return FromGrpc(impl_->feedback().Report(&context, request, &response));
}

void InferenceClient::Cancel() { impl_->Cancel(); }

absl::StatusOr<InferenceClient::ServerStatus> InferenceClient::Status(std::chrono::milliseconds timeout) {
  const std::chrono::system_clock::time_point deadline = After(timeout);
  ServerStatus status;
  {
    grpc::ClientContext context;
    context.set_deadline(deadline);
    inference::ServerLiveResponse response;
    if (absl::Status s = FromGrpc(impl_->stub().ServerLive(&context, {}, &response)); !s.ok()) return s;
    status.live = response.live();
  }
  {
    grpc::ClientContext context;
    context.set_deadline(deadline);
    inference::ServerReadyResponse response;
    if (absl::Status s = FromGrpc(impl_->stub().ServerReady(&context, {}, &response)); !s.ok()) return s;
    status.ready = response.ready();
  }
  grpc::ClientContext context;
  context.set_deadline(deadline);
  inference::ServerMetadataResponse response;
  if (absl::Status s = FromGrpc(impl_->stub().ServerMetadata(&context, {}, &response)); !s.ok()) return s;
  status.name = response.name();
  status.version = response.version();
  status.extensions = {response.extensions().begin(), response.extensions().end()};
  return status;
}

}  // namespace anybit::client
