// ReadIdx: any two files are refused, or give as many rows as labels.
//
// The input: a little-endian u16, the bytes of the images' file; that file; the rest is the labels' file.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "model/data/idx.h"
#include "tests/fuzz/fuzz_target.h"

namespace {

// A file in memory only.
class MemoryFile {
 public:
  explicit MemoryFile(std::span<const uint8_t> bytes) : descriptor_(memfd_create("idx", MFD_CLOEXEC)) {
    const ssize_t written = write(descriptor_, bytes.data(), bytes.size());
    anybit::Require(written == static_cast<ssize_t>(bytes.size()), "the test's own file can be written");
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  ~MemoryFile() { close(descriptor_); }

  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::span<const uint8_t> files(data + 2, size - 2);
  const size_t first = std::min<size_t>(data[0] | data[1] << 8, files.size());
  const MemoryFile images(files.first(first));
  const MemoryFile labels(files.subspan(first));
  const absl::StatusOr<anybit::model::MemoryExamples> examples = anybit::model::ReadIdx(images.path(), labels.path());
  if (!examples.ok()) return 0;
  std::vector<uint8_t> row(examples->shape().elements());
  for (int64_t i = 0; i < examples->count(); ++i) {
    anybit::Require(examples->Read(i, row).ok(), "every row can be read");
    anybit::Require(examples->label(i) < examples->classes(), "every label is one of the classes");
  }
  return 0;
}
