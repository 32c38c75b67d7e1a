#include "base/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace anybit {
namespace {

// A file descriptor, closed at the end of its scope.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() { Close(); }

  int number() const { return number_; }
  // Some file systems report a failed write only here.
  bool Close() { return number_ < 0 || close(std::exchange(number_, -1)) == 0; }

 private:
  int number_;
};

absl::Status CannotWrite(const std::string& path) {
  return absl::UnavailableError(absl::StrCat("cannot write '", path, "': ", std::strerror(errno)));
}

std::string Unfinished(const std::string& path) { return path + ".partial"; }

// Whether `path` leads to something that a rename must not replace, such as /dev/stdout.
bool IsWrittenInPlace(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode);
}

// The unfinished file of `path`, made where it is missing, for this writer alone. Another writer renames or removes
// it before unlocking it, so the name must still lead to what was locked.
absl::StatusOr<Descriptor> LockUnfinished(const std::string& path) {
  const std::string unfinished = Unfinished(path);
  for (;;) {
    Descriptor file(open(unfinished.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666));
    if (file.number() < 0) return CannotWrite(path);
    while (flock(file.number(), LOCK_EX) != 0 && errno == EINTR) {
    }  // where a file system has no locks, writers must not meet
    struct stat locked, named;
    if (fstat(file.number(), &locked) != 0) return CannotWrite(path);
    if (stat(unfinished.c_str(), &named) == 0 && locked.st_ino == named.st_ino && locked.st_dev == named.st_dev) {
      return file;
    }
  }
}

bool WriteAll(int file, absl::string_view contents) {
  while (!contents.empty()) {
    const ssize_t written = write(file, contents.data(), contents.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    contents.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

absl::Status WriteInPlace(const std::string& path, absl::string_view contents) {
  Descriptor file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  const bool written = file.number() >= 0 && WriteAll(file.number(), contents) && file.Close();
  return written ? absl::OkStatus() : CannotWrite(path);
}

// A rename reaches the disk with its folder. Some file systems refuse to flush one, and order the rename themselves.
void FlushFolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const Descriptor file(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (file.number() >= 0) fsync(file.number());
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& path, uint64_t limit) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.number() < 0) {
    const int error = errno;
    const std::string message = absl::StrCat("cannot open '", path, "': ", std::strerror(error));
    if (error == ENOENT || error == ENOTDIR) return absl::NotFoundError(message);
    return error == EACCES ? absl::PermissionDeniedError(message) : absl::UnavailableError(message);
  }
  const auto too_large = [&](uint64_t size) {
    return absl::InvalidArgumentError(absl::StrCat("'", path, "' of ", size, " bytes exceeds ", limit));
  };
  std::string contents;
  struct stat info;
  if (fstat(file.number(), &info) == 0 && S_ISREG(info.st_mode)) {
    const auto size = static_cast<uint64_t>(info.st_size);
    if (size > limit) return too_large(size);
    contents.reserve(size + 1);  // and the read that finds the end
  }
  for (;;) {
    const size_t before = contents.size();
    contents.resize(std::max<size_t>(contents.capacity(), before + 4096));
    const ssize_t got = read(file.number(), contents.data() + before, contents.size() - before);
    const int error = errno;
    contents.resize(before + static_cast<size_t>(std::max<ssize_t>(got, 0)));
    if (contents.size() > limit) return too_large(contents.size());
    if (got == 0) return contents;
    if (got < 0 && error != EINTR) {
      return absl::UnavailableError(absl::StrCat("cannot read '", path, "': ", std::strerror(error)));
    }
  }
}

absl::Status ReplaceFile(const std::string& path, absl::string_view contents, Flush flush) {
  if (IsWrittenInPlace(path)) return WriteInPlace(path, contents);
  absl::StatusOr<Descriptor> file = LockUnfinished(path);
  if (!file.ok()) return file.status();
  const std::string unfinished = Unfinished(path);
  const bool written = ftruncate(file->number(), 0) == 0 && WriteAll(file->number(), contents) &&
                       (flush == Flush::kNo || fsync(file->number()) == 0) &&
                       std::rename(unfinished.c_str(), path.c_str()) == 0;
  if (!written) {
    absl::Status status = CannotWrite(path);
    std::remove(unfinished.c_str());
    return status;
  }
  if (flush == Flush::kYes) FlushFolderOf(path);
  return absl::OkStatus();
}

absl::Status CheckReplaceable(const std::string& path) {
  struct stat info;
  if (absl::EndsWith(path, "/") || (stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode))) {
    return absl::InvalidArgumentError(absl::StrCat("'", path, "' is a folder, not a file to write"));
  }
  if (IsWrittenInPlace(path)) return absl::OkStatus();
  const absl::StatusOr<Descriptor> file = LockUnfinished(path);
  if (!file.ok()) return file.status();
  std::remove(Unfinished(path).c_str());
  return absl::OkStatus();
}

}  // namespace anybit
