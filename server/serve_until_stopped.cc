#include "server/serve_until_stopped.h"

#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <iostream>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "server/event_log.h"
#include "server/ladder_note.h"
#include "server/server.h"

namespace anybit::server {
namespace {

// What a second signal leaves for answers that are nearly there.
constexpr Duration kHurriedDrain = std::chrono::milliseconds(500);
// Before the drain at least, for requests that are in our sockets when the signal comes.
constexpr Duration kLastArrivals = std::chrono::milliseconds(100);
// What gRPC gets to write the last answers to its sockets.
constexpr Duration kLastWrites = std::chrono::seconds(1);
// What the pipe carries besides the numbers of signals.
constexpr char kDrained = 'd';

// The writing end of the pipe that signals go into; -1 while there is nothing to leave in good order.
std::atomic<int> stop_pipe = -1;  // main thread and signal handler
static_assert(std::atomic<int>::is_always_lock_free);

void OnStopSignal(int signal) {
  const int saved_errno = errno;
  const int pipe = stop_pipe;
  if (pipe < 0) _exit(0);
  const char byte = static_cast<char>(signal);
  if (write(pipe, &byte, 1) != 1) _exit(1);
  errno = saved_errno;
}

void OnReloadSignal(int signal) {
  constexpr absl::string_view kText = "anybit-server: SIGHUP: nothing to reload\n";
  const int saved_errno = errno;
  (void)!write(STDERR_FILENO, kText.data(), kText.size());
  errno = saved_errno;
}

void Handle(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigaction(signal, &action, nullptr);
}

void HandleStopSignals(void (*handler)(int)) {
  for (const int signal : {SIGTERM, SIGINT, SIGQUIT, SIGXCPU}) Handle(signal, handler);
}

// What else would end the process by default, and is no fault of the program's own. A write to a reader that went away
// (SIGPIPE) or beyond the largest file (SIGXFSZ) is an error of that write.
void IgnoreOtherSignals() {
  for (const int signal : {SIGPIPE, SIGXFSZ, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGSTKFLT}) {
    Handle(signal, SIG_IGN);
  }
  for (int signal = SIGRTMIN; signal <= SIGRTMAX; ++signal) Handle(signal, SIG_IGN);
}

// Each connection may take three. The lower limit is for programs that count descriptors in bits.
void AllowManyDescriptors() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)setrlimit(RLIMIT_NOFILE, &limit);
}

// The next byte of the pipe, or 0 if none comes within `limit`.
char WaitForByte(int pipe, Duration limit) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(limit).count();
  pollfd wanted{.fd = pipe, .events = POLLIN, .revents = 0};
  const int timeout = limit == Duration::max() ? -1 : static_cast<int>(std::min<int64_t>(ms, 1 << 30));
  // A signal interrupts poll and is then in the pipe, so polling again at once finds it.
  while (poll(&wanted, 1, timeout) < 0 && errno == EINTR) {
  }
  char byte = 0;
  if ((wanted.revents & POLLIN) == 0 || read(pipe, &byte, 1) != 1) return 0;
  return byte;
}

std::string PortOf(const std::string& address, int port) {
  return absl::StrCat(address.substr(0, address.rfind(':') + 1), port);
}

std::string Counted(int count, const char* thing) { return absl::StrCat(count, " ", thing, count == 1 ? "" : "s"); }

void Announce(const Server& server, const ServerOptions& options, const std::string& example) {
  const ServingFacts& facts = server.facts();
  const scheduler::Profile& profile = facts.profile;
  const std::string grpc = PortOf(options.grpc_address, facts.grpc_port);
  std::cout << "anybit-server: serving " << facts.network.name << " version " << facts.network.version << "\n"
            << "  gRPC " << grpc << "\n";
  if (server.http_port() != 0) {
    std::cout << "  HTTP " << PortOf(options.http_address, server.http_port()) << " (/v2 /metrics /livez /readyz)\n";
  }
  if (!facts.isa.empty()) std::cout << "  kernels: " << facts.isa << "\n";
  if (!options.layout_reason.empty()) std::cout << "  " << options.layout_reason << "\n";
  std::cout << absl::StrFormat("  requests may hold %.0f MiB%s\n", facts.request_limit_bytes / 1048576.0,
                               options.max_queue_bytes != 0 ? " (given)" : ", half of the memory left");
  if (!facts.profile_note.empty()) std::cerr << "anybit-server: " << facts.profile_note << std::endl;
  if (!facts.pinning.ok()) std::cerr << "anybit-server: " << facts.pinning.message() << std::endl;
  const std::string largest = absl::StrCat("latency, ", Counted(profile.max_batch, "row"));
  std::cout << absl::StrFormat("\n  %-16s %10s %16s %20s\n", "operating point", "accuracy", "latency, 1 row", largest);
  for (int i = 0; i < static_cast<int>(profile.points.size()); ++i) {
    const PointId point = ToPointId(i);
    std::cout << absl::StrFormat("  %-16s %8.2f %% %13.3f ms %17.3f ms\n", profile.points[i].name,
                                 100 * profile.points[i].accuracy, 1e3 * ToSeconds(profile.At(point, 1)),
                                 1e3 * ToSeconds(profile.At(point, profile.max_batch)));
  }
  std::cout << "  " << LadderNote(profile) << "\n\n  try: .bazel/bin/client/anybit-client --server " << grpc << " "
            << example << std::endl;
}

// A change of the server's state, which people see on standard output and the log's readers in the log.
void Tell(const ServerOptions& options, LogEvent event, LogFields fields = {}) {
  if (options.log == nullptr || !options.log->Admits(LogLevel::kInfo, event)) return;
  options.log->Write(LogLevel::kInfo, event, std::move(fields));
}

// Stays until a signal asks to leave, then leaves.
void StayAndLeave(Server& server, const ServerOptions& options, int pipe) {
  const char signal = WaitForByte(pipe, Duration::max());
  std::cout << "anybit-server: no longer ready" << std::endl;
  Tell(options, LogEvent::kNotReady, LogFields().Add("signal", signal));
  server.StopBeingReady();
  const Duration delay = std::max(signal == SIGINT ? Duration::zero() : options.drain_delay, kLastArrivals);
  const bool hurried = WaitForByte(pipe, delay) != 0;
  std::cout << "anybit-server: draining" << std::endl;
  Tell(options, LogEvent::kDraining);
  server.Drain([] {
    const char byte = kDrained;
    (void)!write(stop_pipe, &byte, 1);
  });
  const char ended = WaitForByte(pipe, hurried ? kHurriedDrain : options.drain_timeout);
  const bool drained = ended == kDrained || (ended != 0 && WaitForByte(pipe, kHurriedDrain) == kDrained);
  HandleStopSignals(SIG_DFL);
  server.Stop(drained ? kLastWrites : Duration::zero());
  Tell(options, LogEvent::kStopped, LogFields().Add("drained", drained ? "true" : "false"));
  std::cout << "anybit-server: stopped" << (drained ? "" : "; not all requests were answered in time") << std::endl;
}

int Fail(const absl::Status& status) {
  std::cerr << "anybit-server: " << status.message() << std::endl;
  return absl::IsInvalidArgument(status) ? 2 : 1;
}

}  // namespace

int ServeUntilStopped(const ServerOptions& options, const LoadNetwork& load, const MakeServing& make_serving,
                      const std::string& example) {
  AllowManyDescriptors();
  IgnoreOtherSignals();
  Handle(SIGHUP, OnReloadSignal);
  HandleStopSignals(OnStopSignal);
  absl::StatusOr<std::unique_ptr<Server>> server = Server::Listen(options, make_serving);
  if (!server.ok()) return Fail(server.status());
  absl::StatusOr<std::unique_ptr<model::AdaptiveNetwork>> network = load();
  if (!network.ok()) {
    std::cerr << "anybit-server: " << network.status().message() << std::endl;
    return 1;  // whatever is wrong with the file, the options were well-formed
  }
  if (absl::Status status = (*server)->Serve(*std::move(network)); !status.ok()) return Fail(status);

  int ends[2];
  if (pipe(ends) != 0) return Fail(absl::InternalError("cannot make a pipe for signals"));
  stop_pipe = ends[1];
  Announce(**server, options, example);
  const ServingFacts& facts = (*server)->facts();
  Tell(options, LogEvent::kServing,
       LogFields()
           .Add("model", facts.network.name)
           .Add("version", facts.network.version)
           .Add("grpc", PortOf(options.grpc_address, facts.grpc_port))
           .Add("kernels", facts.isa)
           .Add("commit", options.commit));
  StayAndLeave(**server, options, ends[0]);
  return 0;
}

}  // namespace anybit::server
