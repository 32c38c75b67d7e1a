// Files that a reader skipped: the number of each file name extension, and the first file of each.
#ifndef ANYBIT_MODEL_DATA_PASSED_OVER_H_
#define ANYBIT_MODEL_DATA_PASSED_OVER_H_

#include <cstdint>
#include <map>
#include <string>

namespace anybit::model {

class PassedOver {
 public:
  void Add(const std::string& path);
  void AddHidden(int64_t count) { hidden_ += count; }  // names that begin with a dot
  void Add(const PassedOver& other);

  int64_t files() const;  // without the hidden ones

  // "2 .webp (first 'dog/a.webp'), 1 .txt ('dog/notes.txt'), 1 hidden"; empty where there was nothing.
  std::string Text() const;

 private:
  struct Ending {
    int64_t count = 0;
    std::string first;
  };

  std::map<std::string, Ending> endings_;
  int64_t hidden_ = 0;
};

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_DATA_PASSED_OVER_H_
