#include "model/train/testing/train_program.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "model/data/example_set.h"
#include "model/train/testing/stripes.h"

namespace anybit::model::train {
namespace {

constexpr char kProgram[] = "model/train/anybit-train";

void WriteBigEndian(std::ofstream& file, std::vector<uint32_t> numbers) {
  for (uint32_t n : numbers) {
    for (int shift = 24; shift >= 0; shift -= 8) file.put(static_cast<char>(n >> shift));
  }
}

}  // namespace

Process::Process(std::vector<std::string> flags, std::vector<std::string> environment) {
  int ends[2];
  if (pipe(ends) != 0) std::abort();
  if (fcntl(ends[0], F_SETPIPE_SZ, kPipeBytes) < 0) std::abort();
  std::vector<std::string> words = {kProgram};
  words.insert(words.end(), flags.begin(), flags.end());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  process_ = fork();
  if (process_ == 0) {
    for (std::string& variable : environment) putenv(variable.data());
    // The caller of this test may ignore signals, as nohup does.
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) ::signal(signal, SIG_DFL);
    dup2(ends[1], STDERR_FILENO);
    dup2(ends[1], STDOUT_FILENO);
    close(ends[0]);
    execv(arguments[0], arguments.data());
    _exit(127);
  }
  close(ends[1]);
  pipe_ = ends[0];
}

Process::~Process() {
  if (process_ > 0) Kill();
  close(pipe_);
}

bool Process::WaitFor(const std::string& text) {
  char c;
  while (output_.find(text) == std::string::npos) {
    if (read(pipe_, &c, 1) != 1) return false;
    output_ += c;
  }
  return true;
}

void Process::Signal(int signal) { kill(process_, signal); }

void Process::Kill() {
  kill(process_, SIGKILL);
  waitpid(process_, nullptr, 0);
  process_ = 0;
}

int Process::Finish() {
  char c;
  while (read(pipe_, &c, 1) == 1) output_ += c;
  int status = 0;
  waitpid(process_, &status, 0);
  process_ = 0;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

std::string Temporary(const std::string& name) { return absl::StrCat(testing::TempDir(), "/anybit_train_test_", name); }

std::string FileText(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

std::string DataFolder() {
  const std::string folder = Temporary("data");
  std::filesystem::create_directories(folder);
  for (const auto& [name, count] : {std::pair("train", 400), std::pair("t10k", 50)}) {
    const MemoryExamples set = Stripes(count, static_cast<uint64_t>(count), 28);
    std::ofstream images(absl::StrCat(folder, "/", name, "-images-idx3-ubyte"), std::ios::binary);
    WriteBigEndian(images, {0x803, static_cast<uint32_t>(count), 28, 28});
    const auto pixels = set.rows(0, count);
    images.write(reinterpret_cast<const char*>(pixels.data()), static_cast<std::streamsize>(pixels.size()));
    std::ofstream labels(absl::StrCat(folder, "/", name, "-labels-idx1-ubyte"), std::ios::binary);
    WriteBigEndian(labels, {0x801, static_cast<uint32_t>(count)});
    for (int64_t i = 0; i < count; ++i) labels.put(static_cast<char>(set.label(i)));
  }
  return folder;
}

std::vector<std::string> Flags(const std::string& name, std::vector<std::string> more) {
  std::vector<std::string> flags = {"--data=" + DataFolder(),
                                    "--arch=fashion_tiny",
                                    "--points=fp32,w4a4f,w1a1",
                                    "--start_steps=4",
                                    "--joint_steps=16",
                                    "--batch=16",
                                    "--held_out=100",
                                    "--norm_batches=2",
                                    "--threads=1",
                                    "--progress_interval=1",
                                    "--out=" + Temporary(name + ".safetensors"),
                                    "--checkpoint=" + Temporary(name + ".ckpt"),
                                    "--checkpoint_interval=3"};
  flags.insert(flags.end(), more.begin(), more.end());
  std::filesystem::remove(Temporary(name + ".ckpt"));
  return flags;
}

std::vector<std::string> BriefFlags(const std::string& name, std::vector<std::string> more) {
  std::vector<std::string> brief = {kTaught, "--points=fp32,w4a4f", "--optimizer=sgd", "--learning_rate=0.02",
                                    "--joint_steps=8"};
  brief.insert(brief.end(), more.begin(), more.end());
  return Flags(name, std::move(brief));
}

std::vector<std::string> LongFlags(const std::string& name, std::vector<std::string> more) {
  constexpr int kShortestLine = 60;
  std::vector<std::string> flags = {absl::StrCat("--joint_steps=", Process::kPipeBytes / kShortestLine + 16),
                                    "--points=fp32,w4a4f", "--checkpoint_interval=1000"};
  flags.insert(flags.end(), more.begin(), more.end());
  return Flags(name, std::move(flags));
}

std::string ResumeCommandIn(const std::string& output) {
  const std::pair<std::string, std::string> parts = absl::StrSplit(output, absl::MaxSplits(": model/train/", 1));
  return absl::StrCat("model/train/", parts.second.substr(0, parts.second.find('\n')));
}

}  // namespace anybit::model::train
