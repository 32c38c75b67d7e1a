// A gRPC server without what the process adds to all of them: reflection, which knows no tokens.
#ifndef ANYBIT_SERVER_WITHOUT_PLUGINS_H_
#define ANYBIT_SERVER_WITHOUT_PLUGINS_H_

#include <grpcpp/impl/server_builder_option.h>
#include <grpcpp/impl/server_builder_plugin.h>

#include <memory>
#include <vector>

namespace anybit::server {

// For ServerBuilder::SetOption.
class WithoutPlugins final : public grpc::ServerBuilderOption {
 public:
  void UpdateArguments(grpc::ChannelArguments*) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>* plugins) override { plugins->clear(); }
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_WITHOUT_PLUGINS_H_
