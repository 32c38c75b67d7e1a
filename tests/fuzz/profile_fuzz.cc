// ProfileFromJson: any text is refused, or the profile written again reads as one that is written the same.
#include <string>

#include "server/profile_file.h"
#include "tests/fuzz/fuzz_target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::StatusOr<anybit::server::MeasuredProfile> profile =
      anybit::server::ProfileFromJson(std::string(reinterpret_cast<const char*>(data), size));
  if (!profile.ok()) return 0;
  const std::string written = anybit::server::ProfileToJson(*profile);
  const absl::StatusOr<anybit::server::MeasuredProfile> again = anybit::server::ProfileFromJson(written);
  anybit::Require(again.ok(), "a profile that was written can be read");
  anybit::Require(anybit::server::ProfileToJson(*again) == written, "reading and writing a profile changes nothing");
  return 0;
}
