// Calls of any method with any bytes, past the generated code.
#ifndef ANYBIT_SERVER_TESTING_RAW_CALL_H_
#define ANYBIT_SERVER_TESTING_RAW_CALL_H_

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

namespace anybit::server::testing {

grpc::ByteBuffer Bytes(const std::string& bytes);
std::string Text(const grpc::ByteBuffer& buffer);

// A unary call. `response` may be null.
grpc::Status CallRaw(const std::shared_ptr<grpc::Channel>& channel, const std::string& method, const std::string& bytes,
                     grpc::ByteBuffer* response = nullptr);

// A call whose steps the test takes one by one. Cancelled at its end, if it has not ended.
class RawCall {
 public:
  RawCall(const std::shared_ptr<grpc::Channel>& channel, const std::string& method);
  ~RawCall();

  // Each waits for the step, and tells whether it succeeded.
  bool Write(const std::string& bytes);
  bool WriteLast(const std::string& bytes);
  bool WritesDone();
  bool Read(std::string* bytes);
  // Begin to read; FinishRead is the wait.
  void StartRead();
  bool FinishRead(std::string* bytes);

  grpc::Status Finish();

 private:
  bool Succeeds();

  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream_;
  grpc::ByteBuffer response_;
};

}  // namespace anybit::server::testing

#endif  // ANYBIT_SERVER_TESTING_RAW_CALL_H_
