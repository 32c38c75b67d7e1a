#include "server/serve_until_stopped.h"

#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
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
// Output goes to the streams that the process was started with, which whoever reads them turns over.
constexpr char kReloads[] = "anybit-server: SIGHUP: reading certificates and tokens again; there are no log files";

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

// Before the server serves there is nothing to read again: its files are read when it starts.
void OnReloadSignal(int signal) {
  if (stop_pipe >= 0) OnStopSignal(signal);
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
char NextByte(int pipe, Duration limit) {
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(std::min<Duration>(limit, std::chrono::hours(1000)));
  pollfd wanted{.fd = pipe, .events = POLLIN, .revents = 0};
  const int timeout = limit == Duration::max() ? -1 : static_cast<int>(std::min<int64_t>(ms.count(), 1 << 30));
  // A signal interrupts poll and is then in the pipe, so polling again at once finds it.
  while (poll(&wanted, 1, timeout) < 0 && errno == EINTR) {
  }
  char byte = 0;
  if ((wanted.revents & POLLIN) == 0 || read(pipe, &byte, 1) != 1) return 0;
  return byte;
}

// Likewise, but reloads where SIGHUP asks for it.
char WaitForByte(Server& server, int pipe, Duration limit) {
  using Clock = std::chrono::steady_clock;
  const bool is_endless = limit == Duration::max();
  const auto end = is_endless ? Clock::time_point::max() : Clock::now() + limit;
  while (true) {
    const Duration left = is_endless ? limit : std::max<Duration>(end - Clock::now(), Duration::zero());
    const char byte = NextByte(pipe, left);
    if (byte != SIGHUP) return byte;
    std::cout << kReloads << std::endl;
    std::cout << (server.Reload() ? "anybit-server: reloaded" : "anybit-server: not all was reloaded") << std::endl;
  }
}

// The addresses with the ports that were bound.
std::string Shown(const std::string& addresses, const std::vector<int>& ports) {
  std::string shown;
  size_t i = 0;
  for (const absl::string_view address : absl::StrSplit(addresses, ',')) {
    absl::StrAppend(&shown, i > 0 ? ", " : "");
    const int port = i < ports.size() ? ports[i] : 0;
    if (port == 0) {
      absl::StrAppend(&shown, address);
    } else {
      absl::StrAppend(&shown, address.substr(0, address.rfind(':') + 1), port);
    }
    ++i;
  }
  return shown;
}

// How clients have to connect, if not in the clear.
std::string Demands(const SecurityOptions& security) {
  std::string demands;
  if (security.tls.is_on()) {
    absl::StrAppend(&demands, " by TLS ", security.tls.least_version == TlsVersion::kTls13 ? "1.3" : "1.2 or 1.3");
  }
  if (!security.tls.client_authorities.empty()) absl::StrAppend(&demands, ", with a certificate");
  if (!security.token_file.empty()) absl::StrAppend(&demands, demands.empty() ? " with a token" : ", with a token");
  return demands;
}

std::string Counted(int count, const char* thing) { return absl::StrCat(count, " ", thing, count == 1 ? "" : "s"); }

void Announce(const Server& server, const ServerOptions& options, const std::string& example) {
  const ServingFacts& facts = server.facts();
  const scheduler::Profile& profile = facts.profile;
  const std::string grpc = Shown(options.grpc_address, facts.grpc_ports);
  const std::string demands = Demands(options.security);
  std::cout << "anybit-server: serving " << facts.network.name << " version " << facts.network.version << "\n"
            << "  gRPC " << grpc << demands << "\n";
  if (!options.http_address.empty()) {
    std::cout << "  HTTP " << Shown(options.http_address, server.http_ports()) << demands
              << " (/ /v2 /metrics /livez /readyz)\n";
  }
  if (!options.health_address.empty()) {
    std::cout << "  probes " << Shown(options.health_address, server.health_ports())
              << " (/livez /readyz grpc.health.v1.Health)\n";
  }
  if (!facts.isa.empty()) std::cout << "  kernels: " << facts.isa << "\n";
  if (!options.layout_reason.empty()) std::cout << "  " << options.layout_reason << "\n";
  std::cout << absl::StrFormat("  requests may hold %.0f MiB%s\n", facts.request_limit_bytes / 1048576.0,
                               options.max_queue_bytes != 0 ? " (given)" : ", half of the memory left");
  if (!facts.profile_note.empty()) Say(options.log, LogLevel::kWarning, facts.profile_note);
  if (!facts.pinning.ok()) Say(options.log, LogLevel::kWarning, facts.pinning.message());
  const std::string largest = absl::StrCat("latency, ", Counted(profile.max_batch, "row"));
  std::cout << absl::StrFormat("\n  %-16s %10s %16s %20s\n", "operating point", "accuracy", "latency, 1 row", largest);
  for (int i = 0; i < static_cast<int>(profile.points.size()); ++i) {
    const PointId point = ToPointId(i);
    std::cout << absl::StrFormat("  %-16s %8.2f %% %13.3f ms %17.3f ms\n", profile.points[i].name,
                                 100 * profile.points[i].accuracy, 1e3 * ToSeconds(profile.At(point, 1)),
                                 1e3 * ToSeconds(profile.At(point, profile.max_batch)));
  }
  std::cout << "  " << LadderNote(profile) << "\n\n  try: .bazel/bin/client/anybit-client --server "
            << grpc.substr(0, grpc.find(',')) << " " << example << std::endl;
}

// A change of the server's state, which people see on standard output and the log's readers in the log.
void Tell(const ServerOptions& options, LogEvent event, LogFields fields = {}) {
  if (options.log == nullptr || !options.log->Admits(LogLevel::kInfo, event)) return;
  options.log->Write(LogLevel::kInfo, event, std::move(fields));
}

// Stays until a signal asks to leave, then leaves.
void StayAndLeave(Server& server, const ServerOptions& options, int pipe) {
  const char signal = WaitForByte(server, pipe, Duration::max());
  std::cout << "anybit-server: no longer ready" << std::endl;
  Tell(options, LogEvent::kNotReady, LogFields().Add("signal", signal));
  server.StopBeingReady();
  const Duration delay = std::max(signal == SIGINT ? Duration::zero() : options.drain_delay, kLastArrivals);
  const bool hurried = WaitForByte(server, pipe, delay) != 0;
  std::cout << "anybit-server: draining" << std::endl;
  Tell(options, LogEvent::kDraining);
  server.Drain([] {
    const char byte = kDrained;
    (void)!write(stop_pipe, &byte, 1);
  });
  const char ended = WaitForByte(server, pipe, hurried ? kHurriedDrain : options.drain_timeout);
  const bool drained = ended == kDrained || (ended != 0 && WaitForByte(server, pipe, kHurriedDrain) == kDrained);
  HandleStopSignals(SIG_DFL);
  server.Stop(drained ? kLastWrites : Duration::zero());
  Tell(options, LogEvent::kStopped, LogFields().Add("drained", drained ? "true" : "false"));
  std::cout << "anybit-server: stopped" << (drained ? "" : "; not all requests were answered in time") << std::endl;
}

int Fail(const ServerOptions& options, const absl::Status& status) {
  Say(options.log, LogLevel::kError, status.message());
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
  if (!server.ok()) return Fail(options, server.status());
  absl::StatusOr<std::unique_ptr<model::AdaptiveNetwork>> network = load();
  if (!network.ok()) {
    (void)Fail(options, network.status());
    return 1;  // whatever is wrong with the file, the options were well-formed
  }
  if (absl::Status status = (*server)->Serve(*std::move(network)); !status.ok()) return Fail(options, status);

  int ends[2];
  if (pipe(ends) != 0) return Fail(options, absl::InternalError("cannot make a pipe for signals"));
  stop_pipe = ends[1];
  Announce(**server, options, example);
  const ServingFacts& facts = (*server)->facts();
  Tell(options, LogEvent::kServing,
       LogFields()
           .Add("model", facts.network.name)
           .Add("version", facts.network.version)
           .Add("grpc", Shown(options.grpc_address, facts.grpc_ports))
           .Add("kernels", facts.isa)
           .Add("commit", options.commit));
  StayAndLeave(**server, options, ends[0]);
  return 0;
}

}  // namespace anybit::server
