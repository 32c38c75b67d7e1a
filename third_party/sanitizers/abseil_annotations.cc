// Tells ThreadSanitizer what Debian's Abseil locks.
//
// ThreadSanitizer knows only what instrumented code does, and Debian's libabsl_synchronization is not instrumented:
// each access that an absl::Mutex orders would be reported as a race. These definitions stand in the program, so the
// dynamic linker prefers them to the library's, for our code and for gRPC alike. Each calls the library's own function
// and tells ThreadSanitizer (sanitizer/tsan_interface.h) what it did. Between "pre" and "post" ThreadSanitizer ignores
// the thread's accesses, among them those of the conditions that Abseil evaluates under the lock.
#include <dlfcn.h>
#include <sanitizer/tsan_interface.h>

#include <cstdio>
#include <cstdlib>

#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"

namespace {

// The library's definition of a symbol that this file defines too.
template <class Function>
Function* Original(const char* symbol) {
  void* found = dlsym(RTLD_NEXT, symbol);
  if (found == nullptr) {
    std::fprintf(stderr, "no %s in Abseil's library: third_party/sanitizers must follow its version\n", symbol);
    std::abort();
  }
  return reinterpret_cast<Function*>(found);
}

// The library calls some of its functions from others, so a call of the program comes here several times; only its
// outermost one is told.
thread_local int calls = 0;

constexpr unsigned kWrite = 0;
constexpr unsigned kRead = __tsan_mutex_read_lock;

// The operations on a mutex, each around `call`, which does it.
template <class Call>
void Locking(void* mutex, unsigned flags, Call call) {
  if (calls == 0) __tsan_mutex_pre_lock(mutex, flags);
  ++calls;
  call();
  --calls;
  if (calls == 0) __tsan_mutex_post_lock(mutex, flags, 0);
}

template <class Call>
void Unlocking(void* mutex, unsigned flags, Call call) {
  if (calls == 0) __tsan_mutex_pre_unlock(mutex, flags);
  ++calls;
  call();
  --calls;
  if (calls == 0) __tsan_mutex_post_unlock(mutex, flags);
}

// A wait that gives the mutex up meanwhile and holds it afterwards.
template <class Call>
void Waiting(void* mutex, Call call) {
  Unlocking(mutex, kWrite, [] {});
  Locking(mutex, kWrite, call);
}

}  // namespace

namespace absl {
ABSL_NAMESPACE_BEGIN

Mutex::~Mutex() {
  static auto* original = Original<void(Mutex*)>("_ZN4absl7debian35MutexD1Ev");
  original(this);
  __tsan_mutex_destroy(this, __tsan_mutex_not_static);
}

void Mutex::Lock() {
  static auto* original = Original<void(Mutex*)>("_ZN4absl7debian35Mutex4LockEv");
  Locking(this, kWrite, [this] { original(this); });
}

void Mutex::Unlock() {
  static auto* original = Original<void(Mutex*)>("_ZN4absl7debian35Mutex6UnlockEv");
  Unlocking(this, kWrite, [this] { original(this); });
}

bool Mutex::TryLock() {
  static auto* original = Original<bool(Mutex*)>("_ZN4absl7debian35Mutex7TryLockEv");
  __tsan_mutex_pre_lock(this, __tsan_mutex_try_lock);
  const bool locked = original(this);
  __tsan_mutex_post_lock(this, locked ? __tsan_mutex_try_lock : __tsan_mutex_try_lock | __tsan_mutex_try_lock_failed,
                         0);
  return locked;
}

void Mutex::ReaderLock() {
  static auto* original = Original<void(Mutex*)>("_ZN4absl7debian35Mutex10ReaderLockEv");
  Locking(this, kRead, [this] { original(this); });
}

void Mutex::ReaderUnlock() {
  static auto* original = Original<void(Mutex*)>("_ZN4absl7debian35Mutex12ReaderUnlockEv");
  Unlocking(this, kRead, [this] { original(this); });
}

void Mutex::LockWhen(const Condition& condition) {
  static auto* original = Original<void(Mutex*, const Condition&)>("_ZN4absl7debian35Mutex8LockWhenERKNS0_9ConditionE");
  Locking(this, kWrite, [&] { original(this, condition); });
}

bool Mutex::LockWhenWithTimeout(const Condition& condition, Duration timeout) {
  static auto* original = Original<bool(Mutex*, const Condition&, Duration)>(
      "_ZN4absl7debian35Mutex19LockWhenWithTimeoutERKNS0_9ConditionENS0_8DurationE");
  bool holds = false;
  Locking(this, kWrite, [&] { holds = original(this, condition, timeout); });
  return holds;
}

void Mutex::Await(const Condition& condition) {
  static auto* original = Original<void(Mutex*, const Condition&)>("_ZN4absl7debian35Mutex5AwaitERKNS0_9ConditionE");
  Waiting(this, [&] { original(this, condition); });
}

bool Mutex::AwaitWithTimeout(const Condition& condition, Duration timeout) {
  static auto* original = Original<bool(Mutex*, const Condition&, Duration)>(
      "_ZN4absl7debian35Mutex16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE");
  bool result = false;
  Waiting(this, [&] { result = original(this, condition, timeout); });
  return result;
}

bool Mutex::AwaitWithDeadline(const Condition& condition, Time deadline) {
  static auto* original = Original<bool(Mutex*, const Condition&, Time)>(
      "_ZN4absl7debian35Mutex17AwaitWithDeadlineERKNS0_9ConditionENS0_4TimeE");
  bool result = false;
  Waiting(this, [&] { result = original(this, condition, deadline); });
  return result;
}

void CondVar::Wait(Mutex* mutex) {
  static auto* original = Original<void(CondVar*, Mutex*)>("_ZN4absl7debian37CondVar4WaitEPNS0_5MutexE");
  Waiting(mutex, [&] { original(this, mutex); });
}

bool CondVar::WaitWithTimeout(Mutex* mutex, Duration timeout) {
  static auto* original = Original<bool(CondVar*, Mutex*, Duration)>(
      "_ZN4absl7debian37CondVar15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE");
  bool result = false;
  Waiting(mutex, [&] { result = original(this, mutex, timeout); });
  return result;
}

bool CondVar::WaitWithDeadline(Mutex* mutex, Time deadline) {
  static auto* original =
      Original<bool(CondVar*, Mutex*, Time)>("_ZN4absl7debian37CondVar16WaitWithDeadlineEPNS0_5MutexENS0_4TimeE");
  bool result = false;
  Waiting(mutex, [&] { result = original(this, mutex, deadline); });
  return result;
}

// Notification and BlockingCounter order by an atomic as well, which the library's code changes. Instrumented code
// reads the notification's atomic, which lies behind its mutex, so that is what is released.
void Notification::Notify() {
  static_assert(sizeof(Notification) == 2 * sizeof(Mutex));
  static auto* original = Original<void(Notification*)>("_ZN4absl7debian312Notification6NotifyEv");
  __tsan_release(reinterpret_cast<char*>(this) + sizeof(Mutex));
  original(this);
}

void Notification::WaitForNotification() const {
  static auto* original = Original<void(const Notification*)>("_ZNK4absl7debian312Notification19WaitForNotificationEv");
  original(this);
  __tsan_acquire(reinterpret_cast<char*>(const_cast<Notification*>(this)) + sizeof(Mutex));
}

bool Notification::WaitForNotificationWithTimeout(Duration timeout) const {
  static auto* original = Original<bool(const Notification*, Duration)>(
      "_ZNK4absl7debian312Notification30WaitForNotificationWithTimeoutENS0_8DurationE");
  const bool notified = original(this, timeout);
  if (notified) __tsan_acquire(reinterpret_cast<char*>(const_cast<Notification*>(this)) + sizeof(Mutex));
  return notified;
}

bool BlockingCounter::DecrementCount() {
  static auto* original = Original<bool(BlockingCounter*)>("_ZN4absl7debian315BlockingCounter14DecrementCountEv");
  __tsan_release(this);
  return original(this);
}

void BlockingCounter::Wait() {
  static auto* original = Original<void(BlockingCounter*)>("_ZN4absl7debian315BlockingCounter4WaitEv");
  original(this);
  __tsan_acquire(this);
}

ABSL_NAMESPACE_END
}  // namespace absl
