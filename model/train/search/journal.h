// What a search has learned of routes, on disk as it learns it: a search that was ended goes on where it was.
//
// A file of JSON lines. The first names what the numbers depend on; each other has a route and numbers by name.
#ifndef ANYBIT_MODEL_TRAIN_SEARCH_JOURNAL_H_
#define ANYBIT_MODEL_TRAIN_SEARCH_JOURNAL_H_

#include <fstream>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace anybit::model::train {

class Journal {
 public:
  using Numbers = std::map<std::string, double>;

  // An empty `path` keeps the journal in memory. With `resume` the file's lines are read first, an incomplete last one
  // excepted; where there is no file, a new one begins. FailedPrecondition, with both identities, where the file's
  // differs; InvalidArgument for a file that is no journal; Unavailable where it cannot be written.
  static absl::StatusOr<std::unique_ptr<Journal>> Open(const std::string& path, const std::string& identity,
                                                       bool resume);

  // Null where the route is not known.
  const Numbers* Find(const std::string& route) const;
  absl::Status Add(const std::string& route, const Numbers& numbers);
  const std::map<std::string, Numbers>& all() const { return known_; }  // by route
  int64_t size() const { return static_cast<int64_t>(known_.size()); }

 private:
  Journal() = default;
  absl::Status Read(const std::string& text, const std::string& identity);

  std::map<std::string, Numbers> known_;
  std::ofstream file_;
};

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_SEARCH_JOURNAL_H_
