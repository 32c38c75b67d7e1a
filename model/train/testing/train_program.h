// anybit-train as a process, and the files and flags of its tests.
#ifndef ANYBIT_MODEL_TRAIN_TESTING_TRAIN_PROGRAM_H_
#define ANYBIT_MODEL_TRAIN_TESTING_TRAIN_PROGRAM_H_

#include <sys/types.h>

#include <string>
#include <vector>

namespace anybit::model::train {

// A running anybit-train. Its output is read as it comes.
class Process {
 public:
  // `environment` has NAME=VALUE beside the variables of this test.
  explicit Process(std::vector<std::string> flags, std::vector<std::string> environment = {});
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process();

  // Reads until the output has `text`; false if the program ends before.
  bool WaitFor(const std::string& text);

  void Signal(int signal);
  void Kill();

  // The exit status, or the signal that ended it as a negative number, after all its output.
  int Finish();

  const std::string& output() const { return output_; }

  // The size of the pipe that holds unread output. A program with more output waits, so that a test finds it at the
  // place that it expects, however fast the program is.
  static constexpr int kPipeBytes = 4096;

 private:
  pid_t process_ = 0;
  int pipe_ = -1;
  std::string output_;
};

// A file of these tests in the folder for temporary files.
std::string Temporary(const std::string& name);

// The contents of a file.
std::string FileText(const std::string& path);

// Stripes under the file names of the MNIST family.
std::string DataFolder();

// A recipe with teachers and swapped blocks, so that a run has much state to lose.
inline constexpr char kTaught[] = "--recipe=coquant";

// Flags of a run of 20 steps that writes NAME.safetensors and NAME.ckpt, followed by `more`. Removes an old checkpoint.
std::vector<std::string> Flags(const std::string& name, std::vector<std::string> more = {});

// Flags of a shorter run with SGD.
std::vector<std::string> BriefFlags(const std::string& name, std::vector<std::string> more);

// Flags of a run with more progress lines than the pipe holds: an event that a test causes after the first lines
// happens before the end of the run.
std::vector<std::string> LongFlags(const std::string& name, std::vector<std::string> more = {});

// The command that resumes, from the program's output.
std::string ResumeCommandIn(const std::string& output);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_TESTING_TRAIN_PROGRAM_H_
