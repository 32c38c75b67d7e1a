// A server process over the network of sums, for tests of its life: sum_server PROFILE DRAIN_DELAY_SECONDS WHAT, where
// WHAT is "serve", "load-for-ever", or "hold" (each run prints "running" and waits for a byte on stdin).
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <memory>
#include <string>

#include "server/compose_serving.h"
#include "server/serve_until_stopped.h"
#include "server/testing/sum_network.h"

int main(int argc, char** argv) {
  if (argc != 4) return 3;
  const anybit::server::ServerOptions options = {.artifact = "in memory",
                                                 .grpc_address = "127.0.0.1:0",
                                                 .http_address = "",
                                                 .max_batch = 4,
                                                 .profile = argv[1],
                                                 .drain_delay = std::chrono::seconds(std::atoi(argv[2]))};
  const std::string what = argv[3];
  const auto load = [&]() -> absl::StatusOr<std::unique_ptr<anybit::model::AdaptiveNetwork>> {
    if (what == "load-for-ever") {
      std::cout << "loading" << std::endl;
      while (true) pause();
    }
    return std::make_unique<anybit::server::testing::SumNetwork>([&](int, int) {
      if (what == "hold") {
        std::cout << "running" << std::endl;
        char byte;
        if (read(STDIN_FILENO, &byte, 1) != 1) return absl::InternalError("stdin ended");
      }
      return absl::OkStatus();
    });
  };
  return anybit::server::ServeUntilStopped(options, load, anybit::server::ComposeServing, "status");
}
