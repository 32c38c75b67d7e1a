#include "client/testing_server.h"

#include <cstdint>

#include "absl/strings/str_cat.h"

namespace anybit::client {

TestingServer::TestingServer() {
  metadata.set_name("fashion");
  metadata.add_versions("1");
  metadata.set_platform("anybit");
  inference::ModelMetadataResponse::TensorMetadata& input = *metadata.add_inputs();
  input.set_name("image");
  input.set_datatype("UINT8");
  for (const int64_t dim : {-1, 4, 4, 1}) input.add_shape(dim);
  inference::ModelMetadataResponse::TensorMetadata& output = *metadata.add_outputs();
  output.set_name("logits");
  output.set_datatype("FP32");
  for (const int64_t dim : {-1, 10}) output.add_shape(dim);

  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
  builder.RegisterService(this);
  builder.RegisterService(&feedback_);
  server_ = builder.BuildAndStart();
}

TestingServer::~TestingServer() { server_->Shutdown(); }

std::string TestingServer::address() const { return absl::StrCat("127.0.0.1:", port_); }

std::set<std::string> TestingServer::peers() const {
  absl::MutexLock lock(&mutex_);
  return peers_;
}

std::vector<anybit::v1::LabelledAnswer> TestingServer::labelled_answers() const {
  absl::MutexLock lock(&mutex_);
  return labelled_answers_;
}

grpc::Status TestingServer::FeedbackService::Report(grpc::ServerContext*, const anybit::v1::ReportRequest* request,
                                                    anybit::v1::ReportResponse*) {
  if (!server_.feedback_status.ok()) return server_.feedback_status;
  absl::MutexLock lock(&server_.mutex_);
  server_.labelled_answers_.insert(server_.labelled_answers_.end(), request->answers().begin(),
                                   request->answers().end());
  return grpc::Status::OK;
}

std::vector<inference::ModelInferRequest> TestingServer::infer_requests() const {
  absl::MutexLock lock(&mutex_);
  return infer_requests_;
}

grpc::Status TestingServer::ServerLive(grpc::ServerContext*, const inference::ServerLiveRequest*,
                                       inference::ServerLiveResponse* response) {
  response->set_live(true);
  return grpc::Status::OK;
}

grpc::Status TestingServer::ServerReady(grpc::ServerContext*, const inference::ServerReadyRequest*,
                                        inference::ServerReadyResponse* response) {
  response->set_ready(true);
  return grpc::Status::OK;
}

grpc::Status TestingServer::ServerMetadata(grpc::ServerContext*, const inference::ServerMetadataRequest*,
                                           inference::ServerMetadataResponse* response) {
  response->set_name("testing");
  response->set_version("7");
  response->add_extensions("parameters");
  return grpc::Status::OK;
}

grpc::Status TestingServer::ModelMetadata(grpc::ServerContext*, const inference::ModelMetadataRequest* request,
                                          inference::ModelMetadataResponse* response) {
  if (request->name() != metadata.name()) {
    return {grpc::StatusCode::NOT_FOUND, absl::StrCat("model '", request->name(), "' is not found")};
  }
  *response = metadata;
  return grpc::Status::OK;
}

grpc::Status TestingServer::RepositoryIndex(grpc::ServerContext*, const inference::RepositoryIndexRequest*,
                                            inference::RepositoryIndexResponse* response) {
  if (!metadata.name().empty()) response->add_models()->set_name(metadata.name());
  return grpc::Status::OK;
}

grpc::Status TestingServer::ModelInfer(grpc::ServerContext* context, const inference::ModelInferRequest* request,
                                       inference::ModelInferResponse* response) {
  int64_t n;
  {
    absl::MutexLock lock(&mutex_);
    n = static_cast<int64_t>(infer_requests_.size());
    infer_requests_.push_back(*request);
    peers_.insert(context->peer());
  }
  if (grpc::Status status = verdict(n); !status.ok()) return status;

  const std::string& pixels = request->raw_input_contents(0);
  const int64_t rows = request->inputs(0).shape(0);
  const int64_t row_bytes = static_cast<int64_t>(pixels.size()) / rows;
  std::vector<float> logits(rows * 10, 0.0f);
  for (int64_t row = 0; row < rows; ++row) {
    logits[row * 10 + static_cast<uint8_t>(pixels[row * row_bytes]) % 10] = 3.0f;
  }
  inference::ModelInferResponse::InferOutputTensor& output = *response->add_outputs();
  output.set_name("logits");
  output.set_datatype("FP32");
  output.add_shape(rows);
  output.add_shape(10);
  response->add_raw_output_contents(logits.data(), logits.size() * sizeof(float));

  const auto pin = request->parameters().find("operating_point");
  auto& parameters = *response->mutable_parameters();
  parameters["operating_point"].set_string_param(pin == request->parameters().end() ? "w8a8"
                                                                                    : pin->second.string_param());
  parameters["bits"].set_int64_param(8);
  parameters["expected_accuracy_bp"].set_int64_param(9321);
  parameters["queue_us"].set_int64_param(1500);
  parameters["compute_us"].set_int64_param(2750);
  parameters["batch_size"].set_int64_param(rows);
  parameters["deadline_met"].set_bool_param(true);
  alter_response(*response);
  return grpc::Status::OK;
}

}  // namespace anybit::client
