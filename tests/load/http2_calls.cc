#include "tests/load/http2_calls.h"

#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <functional>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/statistics.h"
#include "proto/inference.pb.h"

namespace anybit::load {
namespace {

using std::chrono::nanoseconds;

constexpr int kGrpcOk = 0;
constexpr int kGrpcDeadlineExceeded = 4;
constexpr int kGrpcResourceExhausted = 8;
// Reading an answer costs as much as all the rest of a call.
constexpr size_t kAccuracySampling = 16;
// Without gRPC deadlines: after the last call, how long answers may still come.
constexpr std::chrono::seconds kMaxDrain(10);
constexpr nanoseconds kForever = nanoseconds::max();

nanoseconds ClockTime(clockid_t clock) {
  timespec time;
  clock_gettime(clock, &time);
  return std::chrono::seconds(time.tv_sec) + nanoseconds(time.tv_nsec);
}

nanoseconds Now() { return ClockTime(CLOCK_MONOTONIC); }
nanoseconds ProcessorTime() { return ClockTime(CLOCK_PROCESS_CPUTIME_ID); }

// The connections of one load, and what waits for them.
class Connections {
 public:
  static absl::StatusOr<std::unique_ptr<Connections>> Open(const LoadTarget& target, Http2Connection::OnEnd on_end) {
    // Timers are as exact as the machine allows: the default slack of 50 us would batch the calls.
    prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
    auto connections = std::make_unique<Connections>();
    connections->epoll_ = epoll_create1(EPOLL_CLOEXEC);
    if (connections->epoll_ < 0) return absl::UnavailableError(absl::StrCat("epoll_create1: ", std::strerror(errno)));
    for (int i = 0; i < target.connections; ++i) {
      auto connection = Http2Connection::Connect(target.address, target.method, on_end);
      if (!connection.ok()) return connection.status();
      epoll_event event = {.events = EPOLLIN, .data = {.u64 = static_cast<uint64_t>(i)}};
      epoll_ctl(connections->epoll_, EPOLL_CTL_ADD, (*connection)->fd(), &event);
      connections->entries_.push_back({.connection = *std::move(connection)});
    }
    return connections;
  }

  ~Connections() {
    if (epoll_ >= 0) close(epoll_);
  }

  struct Place {
    Http2Connection* connection = nullptr;
    Http2Connection::Stream* stream = nullptr;
  };

  // Starts the call on the next connection that can take it; a null stream: none can.
  Place Start(size_t call, std::optional<std::chrono::microseconds> timeout, bool keep_answer) {
    for (size_t tries = 0; tries < entries_.size(); ++tries) {
      Http2Connection* connection = entries_[next_].connection.get();
      next_ = (next_ + 1) % entries_.size();
      if (connection->CanStart()) return {connection, connection->Start(call, timeout, keep_answer)};
    }
    return {};
  }

  // Sends what is pending, waits until `until` at most, and reads what has arrived.
  absl::Status Exchange(nanoseconds until) {
    for (size_t i = 0; i < entries_.size(); ++i) {
      if (absl::Status status = Write(i); !status.ok()) return status;
    }
    const nanoseconds wait = std::max(until - Now(), nanoseconds(0));
    const timespec timeout = {.tv_sec = wait.count() / 1'000'000'000, .tv_nsec = wait.count() % 1'000'000'000};
    std::array<epoll_event, 64> events;
    const int count = epoll_pwait2(epoll_, events.data(), events.size(), &timeout, nullptr);
    if (count < 0 && errno != EINTR) return absl::UnavailableError(absl::StrCat("epoll: ", std::strerror(errno)));
    for (int i = 0; i < count; ++i) {
      if (events[i].events == EPOLLOUT) continue;  // written the next time
      if (absl::Status status = entries_[events[i].data.u64].connection->Read(); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

 private:
  struct Entry {
    std::unique_ptr<Http2Connection> connection;
    bool watches_writes = false;
  };

  absl::Status Write(size_t index) {
    Entry& entry = entries_[index];
    if (absl::Status status = entry.connection->Write(); !status.ok()) return status;
    if (entry.watches_writes != entry.connection->wants_write()) {
      entry.watches_writes = !entry.watches_writes;
      const uint32_t events = entry.watches_writes ? EPOLLIN | EPOLLOUT : EPOLLIN;
      epoll_event event = {.events = events, .data = {.u64 = index}};
      epoll_ctl(epoll_, EPOLL_CTL_MOD, entry.connection->fd(), &event);
    }
    return absl::OkStatus();
  }

  std::vector<Entry> entries_;
  size_t next_ = 0;
  int epoll_ = -1;
};

void CountFailure(const CallEnd& end, std::map<std::string, int64_t>& failures) {
  // Messages may differ by the values that they name.
  constexpr size_t kMaxDifferent = 10;
  std::string failure = end.grpc_status < 0
                            ? absl::StrCat("no grpc-status, HTTP/2 error ", end.http2_error)
                            : absl::StrCat("grpc-status ", end.grpc_status, ": ", std::string(end.grpc_message));
  if (failures.size() >= kMaxDifferent && !failures.contains(failure)) failure = "others";
  ++failures[failure];
}

std::optional<double> ExpectedAccuracy(std::string_view answer) {
  inference::ModelInferResponse response;
  if (!response.ParseFromArray(answer.data(), static_cast<int>(answer.size()))) return std::nullopt;
  const auto found = response.parameters().find("expected_accuracy_bp");
  if (found == response.parameters().end()) return std::nullopt;
  return static_cast<double>(found->second.int64_param()) / 1e4;
}

nanoseconds MicrosecondsQuantile(std::vector<uint32_t>& micros, double share) {
  return micros.empty() ? nanoseconds(0) : nanoseconds(std::chrono::microseconds(Quantile(micros, share)));
}

uint32_t Micros(nanoseconds time) {
  return static_cast<uint32_t>(std::chrono::duration_cast<std::chrono::microseconds>(time).count());
}

// The calls [0, given_up_) have ended or were given up; [0, taken_) have reached their planned instant, and of these
// [0, started_) were started or given up. All deadlines are equally long, so the calls reach them in the plan's order.
class OpenLoop {
 public:
  OpenLoop(std::span<const client::PlannedCall> plan, int steps, const Deadline& deadline)
      : plan_(plan),
        deadline_(deadline),
        places_(plan.size()),
        result_{.steps = std::vector<StepCounts>(steps)},
        latencies_(steps),
        lags_(steps),
        accuracies_(steps) {}

  absl::StatusOr<OpenLoopResult> Run(const LoadTarget& target) {
    auto connections = Connections::Open(target, [this](const CallEnd& end) { Judge(end); });
    if (!connections.ok()) return connections.status();
    connections_ = std::move(*connections);
    begin_ = Now() + std::chrono::milliseconds(1);
    while (ended_ < plan_.size()) {
      const nanoseconds now = Now() - begin_;
      GiveUp(now);
      Take(now);
      StartTaken(now);
      if (absl::Status status = connections_->Exchange(begin_ + NextInstant()); !status.ok()) return status;
    }
    MeasureProcessorTime(static_cast<int>(result_.steps.size()));
    for (size_t s = 0; s < result_.steps.size(); ++s) Summarize(s);
    return std::move(result_);
  }

 private:
  bool HasGrpcDeadline() const { return deadline_.is_grpc && deadline_.after != nanoseconds(0); }

  nanoseconds GiveUpAt(size_t call) const {
    if (HasGrpcDeadline()) return plan_[call].at + deadline_.after;
    return plan_.back().at + deadline_.after + kMaxDrain;
  }

  nanoseconds NextInstant() const {
    const nanoseconds at = taken_ < plan_.size() ? plan_[taken_].at : kForever;
    // kForever would overflow as soon as something is added to it.
    return std::min({at, given_up_ < taken_ ? GiveUpAt(given_up_) : kForever, taken_at_ + std::chrono::seconds(1)});
  }

  void GiveUp(nanoseconds now) {
    for (; given_up_ < taken_; ++given_up_) {
      Connections::Place& place = places_[given_up_];
      if (given_up_ < started_ && place.stream == nullptr) continue;  // it has ended
      if (GiveUpAt(given_up_) > now) return;
      StepCounts& step = result_.steps[plan_[given_up_].step];
      if (given_up_ < started_) {
        place.connection->Cancel(std::exchange(place.stream, nullptr));
      } else {
        ++step.unsent;
        started_ = given_up_ + 1;
      }
      ++step.expired;
      ++ended_;
    }
  }

  void Take(nanoseconds now) {
    taken_at_ = now;
    for (; taken_ < plan_.size() && plan_[taken_].at <= now; ++taken_) {
      const int step = plan_[taken_].step;
      if (step != step_) MeasureProcessorTime(step);
      ++result_.steps[step].offered;
      lags_[step].push_back(Micros(now - plan_[taken_].at));
    }
  }

  void StartTaken(nanoseconds now) {
    for (; started_ < taken_; ++started_) {
      std::optional<std::chrono::microseconds> timeout;
      if (HasGrpcDeadline()) {
        timeout = std::chrono::duration_cast<std::chrono::microseconds>(GiveUpAt(started_) - now);
      }
      places_[started_] = connections_->Start(started_, timeout, started_ % kAccuracySampling == 0);
      if (places_[started_].stream == nullptr) return;
    }
  }

  void Judge(const CallEnd& end) {
    ++ended_;
    places_[end.call].stream = nullptr;
    const client::PlannedCall& planned = plan_[end.call];
    StepCounts& step = result_.steps[planned.step];
    if (end.grpc_status == kGrpcOk) {
      const nanoseconds latency = Now() - begin_ - planned.at;
      latencies_[planned.step].push_back(Micros(latency));
      if (deadline_.after != nanoseconds(0) && latency > deadline_.after) {
        ++step.late;
        return;
      }
      ++step.attained;
      if (!end.answer.empty()) {
        if (const auto accuracy = ExpectedAccuracy(end.answer)) accuracies_[planned.step].push_back(*accuracy);
      }
    } else if (end.grpc_status == kGrpcResourceExhausted) {
      ++step.shed;
    } else if (end.grpc_status == kGrpcDeadlineExceeded) {
      ++step.expired;
    } else {
      ++step.failed;
      CountFailure(end, result_.failures);
    }
  }

  // Ends the account of step_ and opens that of `step`.
  void MeasureProcessorTime(int step) {
    const nanoseconds used = ProcessorTime();
    if (step_ >= 0) result_.steps[step_].processor_time = used - processor_time_;
    processor_time_ = used;
    step_ = step;
  }

  void Summarize(size_t s) {
    StepCounts& step = result_.steps[s];
    step.p50 = MicrosecondsQuantile(latencies_[s], 0.5);
    step.p99 = MicrosecondsQuantile(latencies_[s], 0.99);
    step.lag_p99 = MicrosecondsQuantile(lags_[s], 0.99);
    step.lag_max = MicrosecondsQuantile(lags_[s], 1);
    double sum = 0;
    for (const double accuracy : accuracies_[s]) sum += accuracy;
    if (!accuracies_[s].empty()) step.expected_accuracy = sum / static_cast<double>(accuracies_[s].size());
  }

  const std::span<const client::PlannedCall> plan_;
  const Deadline deadline_;
  std::unique_ptr<Connections> connections_;
  nanoseconds begin_{0};
  nanoseconds taken_at_{0};
  size_t given_up_ = 0, taken_ = 0, started_ = 0, ended_ = 0;
  std::vector<Connections::Place> places_;  // of each call; a null stream: not started yet, or ended
  OpenLoopResult result_;
  int step_ = -1;
  nanoseconds processor_time_{0};
  // Of each step.
  std::vector<std::vector<uint32_t>> latencies_, lags_;
  std::vector<std::vector<double>> accuracies_;
};

}  // namespace

absl::StatusOr<OpenLoopResult> RunOpenLoop(const LoadTarget& target, std::span<const client::PlannedCall> plan,
                                           int steps, const Deadline& deadline) {
  return OpenLoop(plan, steps, deadline).Run(target);
}

absl::StatusOr<ClosedLoopResult> RunClosedLoop(const LoadTarget& target, int callers, nanoseconds duration) {
  ClosedLoopResult result;
  int64_t under_way = 0, answered = 0, refused = 0;
  auto connections = Connections::Open(target, [&](const CallEnd& end) {
    --under_way;
    ++result.calls;
    if (end.grpc_status == kGrpcOk) {
      ++answered;
    } else {
      ++refused;
      CountFailure(end, result.failures);
    }
  });
  if (!connections.ok()) return connections.status();

  const nanoseconds begin = Now() + duration / 5, end = begin + duration;
  nanoseconds now = Now(), measured_from{0}, measured_to{0};
  nanoseconds processor_time = ProcessorTime();
  int64_t answered_before = 0, refused_before = 0;
  while (measured_to == nanoseconds(0) || under_way > 0) {
    while (now < end && under_way < callers && (*connections)->Start(0, std::nullopt, false).stream != nullptr) {
      ++under_way;
    }
    if (absl::Status status = (*connections)->Exchange(now + std::chrono::milliseconds(100)); !status.ok()) {
      return status;
    }
    now = Now();
    if (measured_from == nanoseconds(0) && now >= begin) {
      measured_from = now;
      answered_before = answered;
      refused_before = refused;
    }
    if (measured_to == nanoseconds(0) && now >= end) {
      measured_to = now;
      const double seconds = std::chrono::duration<double>(measured_to - measured_from).count();
      result.calls_per_second = static_cast<double>(answered - answered_before) / seconds;
      result.refused_per_second = static_cast<double>(refused - refused_before) / seconds;
    }
    if (now > end + kMaxDrain) {
      return absl::DeadlineExceededError(absl::StrCat(under_way, " calls were not answered for 10 s"));
    }
  }
  result.processor_time = ProcessorTime() - processor_time;
  return result;
}

}  // namespace anybit::load
