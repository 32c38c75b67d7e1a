#include "server/front/front.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <exception>
#include <iterator>
#include <new>
#include <utility>

namespace anybit::server {
namespace {

constexpr size_t kBufferBytes = 64 * 1024;
constexpr size_t kEvents = 128;  // of one look at the sockets
// If a look at the sockets took so long, it waited for what it found.
constexpr Duration kWaited = std::chrono::microseconds(50);
// Calls that are held are looked at again after this time: they become too old.
constexpr Duration kRetry = std::chrono::milliseconds(1);
constexpr Duration kAcceptPause = std::chrono::milliseconds(100);

void Watch(int epoll, int operation, int descriptor, uint32_t events, uint64_t data) {
  epoll_event event{.events = events, .data = {.u64 = data}};
  epoll_ctl(epoll, operation, descriptor, &event);
}

}  // namespace

struct Front::Entry {
  Entry(int client, TlsConnection tls, int grpc, MonoTime since, const FrontRules& rules, CallLimit& limit)
      : connection(client, std::move(tls), grpc, since, rules, limit) {}

  // What epoll gives back: an address with a bit that tells the socket. Listeners have odd numbers below.
  uint64_t client_data() const { return reinterpret_cast<uint64_t>(this); }
  uint64_t grpc_data() const { return client_data() | kGrpcBit; }
  static constexpr uint64_t kGrpcBit = 2, kListenerBit = 1;

  FrontConnection connection;
  std::list<Entry>::iterator place;
  std::optional<TimeoutQueue<Entry*>::Place> settling;
  bool has_turn = false, is_held = false, has_ended = false, watches_grpc_writes = false;
};

Front::Front(FrontRules rules, const scheduler::EventLoop& loop, const FrontOptions& options)
    : rules_(std::move(rules)),
      loop_(loop),
      options_(options),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      tls_(options.tls, options.least_tls, "h2"),
      buffer_(kBufferBytes),
      settling_(options.settle_timeout, options.settle_grace),
      limit_(options.calls_inside),
      untaken_(options.calls_per_wait),
      looked_at_(loop.Now()) {
  Watch(epoll_, EPOLL_CTL_ADD, wake_, EPOLLIN | EPOLLET, 0);
}

Front::~Front() {
  StopThread();
  CloseListeners();
  close(wake_);
  close(epoll_);
}

void Front::Start(std::function<void(int)> connect) {
  connect_ = std::move(connect);
  is_started_ = true;
  if (!options_.has_thread) return;
  thread_ = std::thread([this] {
    while (!is_finishing_) Wait(std::chrono::hours(1));
  });
}

void Front::StopThread() {
  if (!thread_.joinable()) return;
  is_finishing_ = true;
  WakeThread();
  thread_.join();
}

void Front::Listen(ListeningSockets sockets) {
  for (const ListeningSockets::Socket& socket : sockets.Release()) {
    listeners_.push_back(socket.descriptor);
    if (socket.file != nullptr) files_.push_back(socket.file);
  }
  WatchListeners();
}

void Front::Wake() {
  DeliverOnlyAnswer();
  if (!options_.has_thread) WakeThread();  // its own waits for the sockets only, and gRPC has written
}

void Front::WakeThread() {
  if (is_woken_.exchange(true)) return;
  const uint64_t one = 1;
  (void)!write(wake_, &one, sizeof(one));
}

// The answer of a single call need not wait for a change of threads. Several are delivered together.
void Front::DeliverOnlyAnswer() {
  if (limit_.inside() != 1 || !mutex_.TryLock()) return;
  if (last_passed_ != nullptr && last_passed_->connection.open_calls() == 1) last_passed_->connection.Deliver(buffer_);
  const bool is_awaited = leaving_ != Leaving::kNo;
  mutex_.Unlock();
  if (is_awaited) WakeThread();  // which finds nothing in the socket any more
}

int Front::Wait(Duration at_most) {
  if (pause_ > Duration::zero()) std::this_thread::sleep_for(pause_);
  if (!turns_.empty() || !held_.empty()) at_most = is_blocked_ ? kRetry : Duration::zero();
  std::array<epoll_event, kEvents> events;
  const int count = WaitForEvents(at_most, events);
  absl::AnyInvocable<void()> done;
  {
    absl::MutexLock lock(&mutex_);
    news_ = HandleEvents(std::span(events).first(count));
    if (is_stopping_ && !stopped_.HasBeenNotified()) {
      CloseListeners();
      stopped_.Notify();
    }
    if (looked_at_ >= accepts_at_) WatchListeners();
    TakeTurns();
    EndLate();
    done = GoOnLeaving();
    for (const auto place : ended_) entries_.erase(place);
    ended_.clear();
  }
  try {
    if (done) done();
  } catch (const std::bad_alloc&) {
    // The drain timeout then ends the drain.
  }
  return news_;
}

int Front::WaitForEvents(Duration at_most, std::span<epoll_event> events) {
  const MonoTime before = loop_.Now();
  const MonoTime next = std::min({settling_.next(), accepts_at_, leave_at_});
  const Duration limit = std::min(at_most, std::max(Until(before, next), Duration::zero()));
  const auto ms =
      std::chrono::ceil<std::chrono::milliseconds>(std::min<Duration>(limit, std::chrono::hours(1))).count();
  const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), static_cast<int>(ms));
  const MonoTime now = loop_.Now();
  since_ = now - before > kWaited ? now : looked_at_;
  looked_at_ = now;
  return std::max(count, 0);
}

// How many of them may be news for gRPC.
int Front::HandleEvents(std::span<const epoll_event> events) {
  int news = 0;
  looked_at_all_ = events.size() < kEvents;
  for (const epoll_event& event : events) {
    const uint64_t data = event.data.u64;
    if (data == 0) {
      is_woken_ = false;  // what is written next is another event, whether this one was read or not
      ++news;
    } else if ((data & Entry::kListenerBit) != 0) {
      Accept(static_cast<int>(data >> 1));
      looked_at_all_ = false;
      ++news;
    } else {
      Entry& entry = *reinterpret_cast<Entry*>(data & ~Entry::kGrpcBit);
      if ((data & Entry::kGrpcBit) != 0) {
        entry.connection.GrpcEvent(event.events);
      } else {
        entry.connection.ClientEvent(event.events, since_);
      }
      Schedule(entry);
    }
  }
  return news;
}

void Front::Accept(int listener) {
  const int client = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (client < 0) {
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) PauseAccepting();
    return;
  }
  std::array<int, 2> pair{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair.data()) != 0) {
    close(client);
    return PauseAccepting();
  }
  const int on = 1;
  setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  std::optional<TlsConnection> tls = BeginTls(client);
  if (!tls.has_value() || !Serve(client, *std::move(tls), pair[0])) {
    for (const int descriptor : {client, pair[0], pair[1]}) close(descriptor);
    return PauseAccepting();
  }
  try {
    connect_(pair[1]);
  } catch (const std::bad_alloc&) {
    End(entries_.back());
    PauseAccepting();
  }
}

// TLS of a new connection, null where none is spoken; nothing without memory or with an identity that OpenSSL refuses.
std::optional<TlsConnection> Front::BeginTls(int client) {
  if (!tls_.is_on()) return TlsConnection();
  try {
    const auto context = tls_.Context();
    TlsConnection tls = context == nullptr ? nullptr : ServeTls(*context->native_handle(), client);
    if (tls != nullptr) return tls;
  } catch (const std::exception&) {  // no memory for the context
  }
  return std::nullopt;
}

// False if there is no memory.
bool Front::Serve(int client, TlsConnection tls, int grpc) {
  try {
    // An entry stands in each list once at most, so that what comes later needs no memory.
    for (std::vector<Entry*>* list : {&turns_, &held_, &held_again_}) list->reserve(entries_.size() + 1);
    round_.reserve(2 * (entries_.size() + 1));
    ended_.reserve(entries_.size() + 1);
    entries_.emplace(entries_.end(), client, std::move(tls), grpc, since_, rules_, limit_);
  } catch (const std::bad_alloc&) {
    return false;
  }
  Entry& entry = entries_.back();
  entry.place = std::prev(entries_.end());
  Watch(epoll_, EPOLL_CTL_ADD, client, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, entry.client_data());
  // Such a socket becomes writable whenever its peer reads, which is news only after a write that did not fit.
  Watch(epoll_, EPOLL_CTL_ADD, grpc, EPOLLIN | EPOLLRDHUP | EPOLLET, entry.grpc_data());
  SetTimeout(entry);
  Schedule(entry);
  return true;
}

// Descriptors or memory have run out. Who connects waits in the listeners.
void Front::PauseAccepting() {
  for (const int listener : listeners_) epoll_ctl(epoll_, EPOLL_CTL_DEL, listener, nullptr);
  accepts_at_ = SaturatingAdd(looked_at_, kAcceptPause);
}

void Front::WatchListeners() {
  accepts_at_ = kNever;
  for (const int listener : listeners_) {
    Watch(epoll_, EPOLL_CTL_ADD, listener, EPOLLIN, static_cast<uint64_t>(listener) << 1 | Entry::kListenerBit);
  }
}

void Front::CloseListeners() {
  for (const int listener : std::exchange(listeners_, {})) close(listener);
  files_.clear();
}

void Front::StopAccepting() {
  if (!is_started_ || is_stopping_.exchange(true)) return;
  WakeThread();
  stopped_.WaitForNotification();
}

void Front::Leave(Duration limit, absl::AnyInvocable<void()> gone) {
  {
    absl::MutexLock lock(&wishes_mutex_);
    wishes_.leave_limit = limit;
    wishes_.gone = std::move(gone);
  }
  WakeThread();
}

void Front::WhenAnswered(absl::AnyInvocable<void()> answered) {
  {
    absl::MutexLock lock(&wishes_mutex_);
    wishes_.answered = std::move(answered);
  }
  WakeThread();
}

// What has to run now, without the lock.
absl::AnyInvocable<void()> Front::GoOnLeaving() {
  absl::MutexLock lock(&wishes_mutex_);
  if (leaving_ == Leaving::kNo) {
    if (!wishes_.gone) return nullptr;
    leaving_ = Leaving::kAsked;
    leave_at_ = SaturatingAdd(looked_at_, wishes_.leave_limit);
    accepts_at_ = kNever;
    CloseListeners();
    for (Entry& entry : entries_) {
      (void)entry.connection.Leave();
      Schedule(entry);
    }
  }
  if (leaving_ == Leaving::kAsked && HaveAllLeft()) {
    leaving_ = Leaving::kGone;
    leave_at_ = kNever;
    return std::move(wishes_.gone);
  }
  return wishes_.answered && IsAllAnswered() ? std::move(wishes_.answered) : nullptr;
}

bool Front::HaveAllLeft() {
  const bool is_late = looked_at_ >= leave_at_;
  bool all = true;
  for (Entry& entry : entries_) {
    if (entry.has_ended) continue;
    all = (is_late ? entry.connection.LeaveNow() : entry.connection.Leave()) && all;
    if (is_late) Schedule(entry);
  }
  return all || is_late;
}

bool Front::IsAllAnswered() {
  return limit_.inside() == 0 && std::all_of(entries_.begin(), entries_.end(), [](Entry& entry) {
           return entry.has_ended || entry.connection.LeaveNow();
         });
}

void Front::Finish(Duration limit) {
  StopThread();
  const MonoTime end = SaturatingAdd(loop_.Now(), limit);
  while (!entries_.empty() && loop_.Now() < end) Wait(end - loop_.Now());
}

// How many calls may pass.
int Front::FreePlaces() {
  return rules_.calls_taken ? untaken_.Free(looked_at_, rules_.calls_taken()) : options_.calls_per_wait;
}

// One round. Each connection may pass an equal share, and those that passed none come first in the next round: none
// waits for all that another one has sent.
void Front::TakeTurns() {
  round_.assign(held_.begin(), held_.end());
  round_.insert(round_.end(), turns_.begin(), turns_.end());
  held_.clear();
  turns_.clear();
  for (Entry* entry : round_) entry->is_held = entry->has_turn = false;
  limit_.Advance(looked_at_);
  // Where calls wait for others' answers, each answer lets one pass.
  const int places = FreePlaces();
  const int share = limit_.was_reached() ? 1 : places / std::max(static_cast<int>(round_.size()), 1) + 1;
  limit_.Reset();
  int left = places;
  int64_t for_intake = 0;
  held_again_.clear();
  for (Entry* entry : round_) {
    if (entry->has_ended) continue;
    const int most = std::min(left, share);
    int calls = most;
    const bool is_held = TakeTurn(*entry, calls, for_intake);
    left -= most - calls;
    if (calls < most && !entry->has_ended) last_passed_ = entry;
    if (!is_held || std::exchange(entry->is_held, true)) continue;
    (calls == most ? held_ : held_again_).push_back(entry);
  }
  held_.insert(held_.end(), held_again_.begin(), held_again_.end());
  untaken_.Pass(for_intake);
  is_blocked_ = turns_.empty() && left == places;
  pause_ = is_blocked_ && looked_at_all_ ? limit_.Pause() : Duration::zero();
}

// Whether it has to wait for the next round.
bool Front::TakeTurn(Entry& entry, int& calls, int64_t& for_intake) {
  const FrontConnection::Next next =
      entry.connection.Turn({.now = looked_at_, .calls = calls, .for_intake = for_intake, .limit = limit_}, buffer_);
  news_ += entry.connection.used_grpc() ? 1 : 0;
  if (next == FrontConnection::Next::kEnd) {
    End(entry);
    return false;
  }
  if (next == FrontConnection::Next::kTurn) Schedule(entry);
  SetTimeout(entry);
  if (!entry.connection.grpc().may_write() && !entry.watches_grpc_writes) {
    entry.watches_grpc_writes = true;
    Watch(epoll_, EPOLL_CTL_MOD, entry.connection.grpc().descriptor(), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
          entry.grpc_data());
  }
  return next == FrontConnection::Next::kHeld && !entry.has_ended;
}

void Front::Schedule(Entry& entry) {
  if (entry.has_turn || entry.has_ended) return;
  entry.has_turn = true;
  turns_.push_back(&entry);
}

// Clients that do not begin to speak, or that do not take the last bytes, are not waited for.
void Front::SetTimeout(Entry& entry) {
  const bool settles = !entry.connection.has_begun() || entry.connection.is_closing();
  if (settles == entry.settling.has_value()) return;
  if (settles) {
    try {
      entry.settling = settling_.Add(&entry, loop_.Now());
    } catch (const std::bad_alloc&) {
      End(entry);
    }
  } else {
    settling_.Remove(*entry.settling);
    entry.settling.reset();
  }
}

void Front::EndLate() {
  while (const std::optional<Entry*> late = settling_.TakeExpired(looked_at_)) {
    (*late)->settling.reset();
    End(**late);
  }
}

void Front::End(Entry& entry) {
  if (entry.has_ended) return;
  entry.has_ended = true;
  ++news_;
  if (last_passed_ == &entry) last_passed_ = nullptr;
  if (entry.settling.has_value()) settling_.Remove(*entry.settling);
  std::erase(held_, &entry);
  std::erase(held_again_, &entry);
  std::erase(turns_, &entry);
  ended_.push_back(entry.place);
}

}  // namespace anybit::server
