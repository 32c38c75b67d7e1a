// The server's ports, in front of gRPC: it accepts connections, refuses what cannot be answered, and holds back the
// rest.
//
// gRPC reads a connection as long as it has bytes, and keeps what it has read without limit. To receive a call costs it
// tens of microseconds, even if the call is refused. So beyond some load a server would do nothing but receive. The
// front costs a few microseconds a call. It speaks HTTP/2 as far as that needs: it cuts frames, reads headers, and
// answers calls whose deadlines cannot be met (RequestStream). The others it passes to gRPC over a pair of sockets, a
// few at a time: until the intake has taken the calls that were passed no others are, and TCP's flow control holds the
// clients back.
//
// Where clients have to speak TLS, it ends here: gRPC gets plain bytes, and the name in the client's certificate as a
// header (FrontRules::client_name_header).
//
// It also tells clients to go elsewhere before the server stops (Leave). gRPC's own server loses the calls that come
// between its own GOAWAY and the client's knowledge of it: they end as CANCELLED.
//
// The bytes are moved by the thread that polls gRPC, which alternates between the two, where one processor is all there
// is; else by a thread of the front's own.
//
//   Front front(rules, loop, {});
//   front.Listen(std::move(sockets));
//   front.Start([&](int socket) { grpc::AddInsecureChannelFromFd(server, socket); });
//   ... while (...) { front.Wait(...); poll gRPC }      // one thread, unless FrontOptions::has_thread
//   front.Leave(limit, gone);  // and after gone: front.WhenAnswered(answered);
//   front.StopAccepting();     // before gRPC's server ends
//   front.Finish(limit);       // after it, and after the thread that waits
#ifndef ANYBIT_SERVER_FRONT_FRONT_H_
#define ANYBIT_SERVER_FRONT_FRONT_H_

#include <sys/epoll.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "base/listening_sockets.h"
#include "base/time.h"
#include "scheduler/loop/event_loop.h"
#include "server/call_source.h"
#include "server/front/call_limit.h"
#include "server/front/front_connection.h"
#include "server/front/front_socket.h"
#include "server/front/request_stream.h"
#include "server/front/untaken_calls.h"
#include "server/http/tls_contexts.h"
#include "server/http/tls_identity.h"
#include "server/timeout_queue.h"

namespace anybit::server {

struct FrontOptions {
  int calls_per_wait = 64;  // that may pass to gRPC; with FrontRules::calls_taken also that it may hold untaken
  int calls_inside = 32;    // whatever their deadlines, see CallLimit
  bool has_thread = false;  // of its own, which waits from Start to Finish
  // TLS that clients have to speak; null: none.
  TlsIdentitySource tls = nullptr;
  TlsVersion least_tls = TlsVersion::kTls12;
  // For a client to begin an HTTP/2 connection, and to take the last bytes of one.
  Duration settle_timeout = std::chrono::seconds(20);
  Duration settle_grace = std::chrono::seconds(1);  // then, see TimeoutQueue
};

class Front final : public CallSource {
 public:
  // `loop` outlives the front, which asks it for the time only.
  Front(FrontRules rules, const scheduler::EventLoop& loop, const FrontOptions& options);
  // No other thread waits any more.
  ~Front() override;
  Front(const Front&) = delete;
  Front& operator=(const Front&) = delete;

  // Before Start; connections wait until then.
  void Listen(ListeningSockets sockets);

  // Before the first Wait, which accepts connections. `connect` gives a socket to gRPC, which closes it.
  void Start(std::function<void(int)> connect);

  // Moves what there is, both ways. Calls that do not fit in one Wait stand in a line of their connections.
  int Wait(Duration at_most) override;
  void Wake() override;

  // Takes neither connections nor, in the end, calls: tells the clients so, and calls `gone` once each has confirmed
  // it, or after `limit`. Calls that come later are refused as not looked at. Any thread, once; `gone` runs on one that
  // waits.
  void Leave(Duration limit, absl::AnyInvocable<void()> gone);

  // After `gone`: calls `answered` once no call is open that CallLimit counts. Likewise.
  void WhenAnswered(absl::AnyInvocable<void()> answered);

  // Takes no connections any more; when it returns, `connect` does not run. Blocks until a Wait. Any thread.
  void StopAccepting();

  // What the next Wait sleeps first, since calls wait for others' answers (CallLimit::Pause). The thread that waits.
  Duration pause() const { return pause_; }

  // Sends what gRPC has written last, for some time at most. When gRPC has closed its sockets and no other thread
  // waits.
  void Finish(Duration limit);

 private:
  struct Entry;

  void WakeThread();
  void DeliverOnlyAnswer();
  int WaitForEvents(Duration at_most, std::span<epoll_event> events);
  int HandleEvents(std::span<const epoll_event> events);
  void Accept(int listener);
  std::optional<TlsConnection> BeginTls(int client);
  bool Serve(int client, TlsConnection tls, int grpc);
  void PauseAccepting();
  void WatchListeners();
  void CloseListeners();
  int FreePlaces();
  void TakeTurns();
  bool TakeTurn(Entry& entry, int& calls, int64_t& for_intake);
  void Schedule(Entry& entry);
  void SetTimeout(Entry& entry);
  void EndLate();
  void End(Entry& entry);
  absl::AnyInvocable<void()> GoOnLeaving();
  bool HaveAllLeft();
  bool IsAllAnswered();
  void StopThread();

  const FrontRules rules_;
  const scheduler::EventLoop& loop_;
  const FrontOptions options_;
  const int epoll_;
  const int wake_;  // an eventfd
  std::atomic<bool> is_woken_ = false;
  std::atomic<bool> is_stopping_ = false;
  absl::Notification stopped_;
  bool is_started_ = false;
  std::atomic<bool> is_finishing_ = false;  // thread_ is to end

  // What other threads ask for.
  struct Wishes {
    Duration leave_limit{};
    absl::AnyInvocable<void()> gone, answered;
  };
  absl::Mutex wishes_mutex_;
  Wishes wishes_ ABSL_GUARDED_BY(wishes_mutex_);

  // Held while bytes are moved: by the thread that waits, and by one that delivers an answer at once.
  absl::Mutex mutex_;
  TlsContexts tls_;
  std::function<void(int)> connect_;
  std::vector<int> listeners_;
  std::vector<std::shared_ptr<const UnixSocketFile>> files_;  // of the listeners
  MonoTime accepts_at_ = kNever;                              // again
  std::vector<char> buffer_;
  std::list<Entry> entries_;
  std::vector<std::list<Entry>::iterator> ended_;
  std::vector<Entry*> turns_;
  std::vector<Entry*> held_;                // each with a call that waits for another round
  std::vector<Entry*> round_, held_again_;  // of the present round
  TimeoutQueue<Entry*> settling_;
  CallLimit limit_;
  UntakenCalls untaken_;
  Entry* last_passed_ = nullptr;  // the connection of the last call that passed
  bool is_blocked_ = false;       // nothing passed in the last round, and what is held waits for answers
  MonoTime looked_at_;            // at the sockets, the last time
  MonoTime since_{};              // what was found then, and had not been the time before, did not come before this
  Duration pause_{};
  bool looked_at_all_ = true;  // the last look left no events and no connections for the next one
  int news_ = 0;

  enum class Leaving { kNo, kAsked, kGone };
  Leaving leaving_ = Leaving::kNo;
  MonoTime leave_at_ = kNever;  // whether the clients have confirmed or not

  std::thread thread_;
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_FRONT_FRONT_H_
