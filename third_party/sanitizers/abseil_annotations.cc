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

void WillLock(void* mutex, unsigned flags) { __tsan_mutex_pre_lock(mutex, flags); }
void HasLocked(void* mutex, unsigned flags) { __tsan_mutex_post_lock(mutex, flags, 0); }
void WillUnlock(void* mutex, unsigned flags) { __tsan_mutex_pre_unlock(mutex, flags); }
void HasUnlocked(void* mutex, unsigned flags) { __tsan_mutex_post_unlock(mutex, flags); }

constexpr unsigned kWrite = 0;
constexpr unsigned kRead = __tsan_mutex_read_lock;

// A wait that gives the mutex up meanwhile and holds it afterwards.
template <class Wait>
auto Waiting(void* mutex, Wait wait) {
  WillUnlock(mutex, kWrite);
  HasUnlocked(mutex, kWrite);
  WillLock(mutex, kWrite);
  const auto result = wait();
  HasLocked(mutex, kWrite);
  return result;
}

template <class Wait>
void WaitingFor(void* mutex, Wait wait) {
  Waiting(mutex, [&] {
    wait();
    return true;
  });
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
  WillLock(this, kWrite);
  original(this);
  HasLocked(this, kWrite);
}

void Mutex::Unlock() {
  static auto* original = Original<void(Mutex*)>("_ZN4absl7debian35Mutex6UnlockEv");
  WillUnlock(this, kWrite);
  original(this);
  HasUnlocked(this, kWrite);
}

bool Mutex::TryLock() {
  static auto* original = Original<bool(Mutex*)>("_ZN4absl7debian35Mutex7TryLockEv");
  WillLock(this, __tsan_mutex_try_lock);
  const bool locked = original(this);
  HasLocked(this, locked ? __tsan_mutex_try_lock : __tsan_mutex_try_lock | __tsan_mutex_try_lock_failed);
  return locked;
}

void Mutex::ReaderLock() {
  static auto* original = Original<void(Mutex*)>("_ZN4absl7debian35Mutex10ReaderLockEv");
  WillLock(this, kRead);
  original(this);
  HasLocked(this, kRead);
}

void Mutex::ReaderUnlock() {
  static auto* original = Original<void(Mutex*)>("_ZN4absl7debian35Mutex12ReaderUnlockEv");
  WillUnlock(this, kRead);
  original(this);
  HasUnlocked(this, kRead);
}

void Mutex::LockWhen(const Condition& condition) {
  static auto* original = Original<void(Mutex*, const Condition&)>("_ZN4absl7debian35Mutex8LockWhenERKNS0_9ConditionE");
  WillLock(this, kWrite);
  original(this, condition);
  HasLocked(this, kWrite);
}

bool Mutex::LockWhenWithTimeout(const Condition& condition, Duration timeout) {
  static auto* original = Original<bool(Mutex*, const Condition&, Duration)>(
      "_ZN4absl7debian35Mutex19LockWhenWithTimeoutERKNS0_9ConditionENS0_8DurationE");
  WillLock(this, kWrite);
  const bool holds = original(this, condition, timeout);
  HasLocked(this, kWrite);
  return holds;
}

void Mutex::Await(const Condition& condition) {
  static auto* original = Original<void(Mutex*, const Condition&)>("_ZN4absl7debian35Mutex5AwaitERKNS0_9ConditionE");
  WaitingFor(this, [&] { original(this, condition); });
}

bool Mutex::AwaitWithTimeout(const Condition& condition, Duration timeout) {
  static auto* original = Original<bool(Mutex*, const Condition&, Duration)>(
      "_ZN4absl7debian35Mutex16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE");
  return Waiting(this, [&] { return original(this, condition, timeout); });
}

bool Mutex::AwaitWithDeadline(const Condition& condition, Time deadline) {
  static auto* original = Original<bool(Mutex*, const Condition&, Time)>(
      "_ZN4absl7debian35Mutex17AwaitWithDeadlineERKNS0_9ConditionENS0_4TimeE");
  return Waiting(this, [&] { return original(this, condition, deadline); });
}

void CondVar::Wait(Mutex* mutex) {
  static auto* original = Original<void(CondVar*, Mutex*)>("_ZN4absl7debian37CondVar4WaitEPNS0_5MutexE");
  WaitingFor(mutex, [&] { original(this, mutex); });
}

bool CondVar::WaitWithTimeout(Mutex* mutex, Duration timeout) {
  static auto* original = Original<bool(CondVar*, Mutex*, Duration)>(
      "_ZN4absl7debian37CondVar15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE");
  return Waiting(mutex, [&] { return original(this, mutex, timeout); });
}

bool CondVar::WaitWithDeadline(Mutex* mutex, Time deadline) {
  static auto* original =
      Original<bool(CondVar*, Mutex*, Time)>("_ZN4absl7debian37CondVar16WaitWithDeadlineEPNS0_5MutexENS0_4TimeE");
  return Waiting(mutex, [&] { return original(this, mutex, deadline); });
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
