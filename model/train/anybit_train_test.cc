// The program itself: a run that is killed in the middle and resumed gives the file of a run that was not; flags and
// config files say the same.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "model/artifact.h"
#include "model/train/checkpoint.h"
#include "model/train/testing_stripes.h"

namespace anybit {
namespace {

std::string Temporary(const std::string& name) { return absl::StrCat(testing::TempDir(), "/anybit_train_test_", name); }

void WriteBigEndian(std::ofstream& file, std::vector<uint32_t> numbers) {
  for (uint32_t n : numbers) {
    for (int shift = 24; shift >= 0; shift -= 8) file.put(static_cast<char>(n >> shift));
  }
}

// Stripes under the MNIST family's file names.
std::string DataFolder() {
  const std::string folder = Temporary("data");
  std::filesystem::create_directories(folder);
  for (const auto& [name, count] : {std::pair("train", 400), std::pair("t10k", 50)}) {
    const ImageSet set = Stripes(count, static_cast<uint64_t>(count), 28);
    std::ofstream images(absl::StrCat(folder, "/", name, "-images-idx3-ubyte"), std::ios::binary);
    WriteBigEndian(images, {0x803, static_cast<uint32_t>(count), 28, 28});
    images.write(reinterpret_cast<const char*>(set.pixels.data()), static_cast<std::streamsize>(set.pixels.size()));
    std::ofstream labels(absl::StrCat(folder, "/", name, "-labels-idx1-ubyte"), std::ios::binary);
    WriteBigEndian(labels, {0x801, static_cast<uint32_t>(count)});
    labels.write(reinterpret_cast<const char*>(set.labels.data()), static_cast<std::streamsize>(set.labels.size()));
  }
  return folder;
}

// A running anybit-train; what it says is read as it comes.
class Process {
 public:
  explicit Process(std::vector<std::string> flags) {
    int ends[2];
    if (pipe(ends) != 0) std::abort();
    std::vector<std::string> words = {"model/train/anybit-train"};
    words.insert(words.end(), flags.begin(), flags.end());
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    process_ = fork();
    if (process_ == 0) {
      dup2(ends[1], STDERR_FILENO);
      dup2(ends[1], STDOUT_FILENO);
      close(ends[0]);
      execv(arguments[0], arguments.data());
      _exit(127);
    }
    close(ends[1]);
    output_ = ends[0];
  }

  ~Process() {
    if (process_ > 0) Kill();
    close(output_);
  }

  // Reads until `text` has been said; false if the program ends before.
  bool WaitFor(const std::string& text) {
    char c;
    while (said_.find(text) == std::string::npos) {
      if (read(output_, &c, 1) != 1) return false;
      said_ += c;
    }
    return true;
  }

  void Kill() {
    kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
    process_ = 0;
  }

  // The exit status, after all that it says.
  int Finish() {
    char c;
    while (read(output_, &c, 1) == 1) said_ += c;
    int status = 0;
    waitpid(process_, &status, 0);
    process_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  const std::string& said() const { return said_; }

 private:
  pid_t process_ = 0;
  int output_ = -1;
  std::string said_;
};

std::vector<std::string> Flags(const std::string& name, std::vector<std::string> more = {}) {
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

std::string FileText(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

TEST(AnybitTrain, GivesTheSameFileAfterKillNineAsWithout) {
  Process whole(Flags("whole"));
  ASSERT_EQ(whole.Finish(), 0) << whole.said();

  {
    Process killed(Flags("killed"));
    ASSERT_TRUE(killed.WaitFor(" 11/20 ")) << killed.said();
    killed.Kill();
  }
  // Wherever between two steps it died: a whole checkpoint is there, and there is no result.
  const int64_t step = ReadCheckpoint(Temporary("killed.ckpt"))->step;
  EXPECT_GE(step, 9);
  EXPECT_LT(step, 20);
  EXPECT_FALSE(std::filesystem::exists(Temporary("killed.safetensors")));

  std::vector<std::string> flags = Flags("again", {"--resume"});
  std::filesystem::rename(Temporary("killed.ckpt"), Temporary("again.ckpt"));
  Process again(flags);
  ASSERT_EQ(again.Finish(), 0) << again.said();
  EXPECT_EQ(again.said().find(" 1/20 "), std::string::npos) << again.said();
  EXPECT_EQ(FileText(Temporary("again.safetensors")), FileText(Temporary("whole.safetensors")));
}

TEST(AnybitTrain, TakesFlagsFromAConfigFileAndLetsTheCommandLineWin) {
  const std::string config = Temporary("run.cfg");
  std::ofstream(config) << "# all at once\nrecipe = coquant,teacher=next\njoint_steps = 3\nseed = 9\n";
  std::vector<std::string> flags = Flags("config", {"--config=" + config, "--seed=5"});
  std::erase(flags, "--joint_steps=16");
  Process run(flags);
  ASSERT_EQ(run.Finish(), 0) << run.said();
  const std::string command = ReadArtifact(Temporary("config.safetensors"))->trained_with;
  EXPECT_NE(command.find("--recipe=coquant,teacher=next "), std::string::npos) << command;
  EXPECT_NE(command.find("--joint_steps=3 "), std::string::npos) << command;
  EXPECT_NE(command.find("--seed=5"), std::string::npos) << command;
}

TEST(AnybitTrain, WritesOneArtifactPerPointThatIsTrainedAlone) {
  std::vector<std::string> flags = Flags("alone", {"--recipe=separate", "--joint_steps=2", "--points=w4a4,w1a1"});
  Process run(flags);
  ASSERT_EQ(run.Finish(), 0) << run.said();
  for (const char* point : {"w4a4", "w1a1"}) {
    const absl::StatusOr<Artifact> artifact = ReadArtifact(Temporary(absl::StrCat("alone.", point, ".safetensors")));
    ASSERT_TRUE(artifact.ok()) << artifact.status();
    EXPECT_EQ(artifact->points.size(), 1u);
    EXPECT_EQ(artifact->points[0].info.name, point);
  }
}

TEST(AnybitTrain, SaysWhatIsWrongBeforeItTrains) {
  const auto error = [](std::vector<std::string> more) {
    Process run(Flags("wrong", std::move(more)));
    EXPECT_EQ(run.Finish(), 1);
    return run.said();
  };
  EXPECT_EQ(error({"--recipe=coquant,swap=2"}), "anybit-train: recipe: swap=2 is not one of 0..1\n");
  EXPECT_EQ(error({"--optimizer=lamb"}), "anybit-train: optimizer 'lamb' is not adamw or sgd\n");
  const std::string config = Temporary("wrong.cfg");
  std::ofstream(config) << "seed = 1\njoin_steps = 3\n";
  EXPECT_EQ(error({"--config", config}).substr(0, 200).find("wrong.cfg:2: unknown key 'join_steps'; known: ") !=
                std::string::npos,
            true);
  std::ofstream(config) << "batch = many\n";
  EXPECT_NE(error({"--config=" + config}).find("wrong.cfg:1: batch = many: "), std::string::npos);
  EXPECT_NE(error({"--start=" + config}).find("is no artifact ("), std::string::npos);
}

}  // namespace
}  // namespace anybit
