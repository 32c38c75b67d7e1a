// The program itself: a run that is killed in the middle and resumed gives the file of a run that was not; flags and
// config files say the same.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "model/artifact.h"
#include "model/train/processes/process_group.h"
#include "model/train/report.h"
#include "model/train/testing/stripes.h"
#include "model/train/trainer/checkpoint.h"

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

// A running anybit-train; what it says is read as it comes.
class Process {
 public:
  // `environment` are NAME=VALUE beside those of this test.
  explicit Process(std::vector<std::string> flags, std::vector<std::string> environment = {}) {
    int ends[2];
    if (pipe(ends) != 0) std::abort();
    std::vector<std::string> words = {"model/train/anybit-train"};
    words.insert(words.end(), flags.begin(), flags.end());
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    process_ = fork();
    if (process_ == 0) {
      for (std::string& variable : environment) putenv(variable.data());
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

// Teachers and swapped blocks to the end: much that a run could lose.
constexpr char kTaught[] = "--recipe=coquant";

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
  Process whole(Flags("whole", {kTaught}));
  ASSERT_EQ(whole.Finish(), 0) << whole.said();

  {
    Process killed(Flags("killed", {kTaught}));
    ASSERT_TRUE(killed.WaitFor(" 11/20 ")) << killed.said();
    killed.Kill();
  }
  // Wherever between two steps it died: a whole checkpoint is there, and there is no result.
  const int64_t step = ReadCheckpoint(Temporary("killed.ckpt"))->step;
  EXPECT_GE(step, 9);
  EXPECT_LT(step, 20);
  EXPECT_FALSE(std::filesystem::exists(Temporary("killed.safetensors")));

  std::vector<std::string> flags = Flags("again", {kTaught, "--resume"});
  std::filesystem::rename(Temporary("killed.ckpt"), Temporary("again.ckpt"));
  Process again(flags);
  ASSERT_EQ(again.Finish(), 0) << again.said();
  EXPECT_EQ(again.said().find(" 1/20 "), std::string::npos) << again.said();
  EXPECT_EQ(FileText(Temporary("again.safetensors")), FileText(Temporary("whole.safetensors")));
}

// The losses of every step, as shown.
std::vector<std::vector<double>> LossCurve(const std::string& said) {
  std::vector<std::vector<double>> curve;
  for (absl::string_view line : absl::StrSplit(said, '\n')) {
    const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(line, absl::MaxSplits("  loss ", 1));
    if (parts.second.empty()) continue;
    std::vector<double>& losses = curve.emplace_back();
    for (absl::string_view word : absl::StrSplit(parts.second, ' ')) {
      double loss = 0;
      if (absl::SimpleAtod(word, &loss)) losses.push_back(loss);
    }
  }
  return curve;
}

double LargestDifference(const std::vector<std::vector<double>>& a, const std::vector<std::vector<double>>& b) {
  double largest = a.size() == b.size() ? 0 : INFINITY;
  for (size_t step = 0; step < std::min(a.size(), b.size()); ++step) {
    if (a[step].size() != b[step].size()) return INFINITY;
    for (size_t i = 0; i < a[step].size(); ++i) largest = std::max(largest, std::abs(a[step][i] - b[step][i]));
  }
  return largest;
}

std::vector<std::string> BriefFlags(const std::string& name, std::vector<std::string> more) {
  std::vector<std::string> brief = {kTaught, "--points=fp32,w4a4f", "--optimizer=sgd", "--learning_rate=0.02",
                                    "--joint_steps=8"};
  brief.insert(brief.end(), more.begin(), more.end());
  return Flags(name, std::move(brief));
}

// Two processes, told what torchrun tells its own.
class Two {
 public:
  explicit Two(const std::vector<std::string>& flags) : Two(flags, flags) {}
  Two(const std::vector<std::string>& flags, const std::vector<std::string>& others)
      : store_(*ProcessGroup::Open({.size = 2}, std::chrono::seconds(60))),
        first(flags, Environment(0)),
        second(others, Environment(1)) {}

 private:
  std::vector<std::string> Environment(int rank) const {
    return {absl::StrCat("RANK=", rank),
            absl::StrCat("LOCAL_RANK=", rank),
            "WORLD_SIZE=2",
            "MASTER_ADDR=localhost",
            absl::StrCat("MASTER_PORT=", store_->port()),
            "TORCHELASTIC_USE_AGENT_STORE=True"};
  }

  const std::unique_ptr<ProcessGroup::Rendezvous> store_;

 public:
  Process first, second;
};

std::vector<std::vector<double>> CurveOfTwo(const std::string& name, std::vector<std::string> more) {
  Two two(BriefFlags(name, std::move(more)));
  EXPECT_EQ(two.first.Finish(), 0) << two.first.said();
  EXPECT_EQ(two.second.Finish(), 0) << two.second.said();
  EXPECT_EQ(two.second.said(), "");  // the first one speaks for both
  return LossCurve(two.first.said());
}

std::vector<std::vector<double>> CurveOfOne(const std::string& name, std::vector<std::string> more) {
  // Threads that wait for others make room for them: there are more than processors.
  Process run(BriefFlags(name, std::move(more)), {"OMP_WAIT_POLICY=PASSIVE"});
  EXPECT_EQ(run.Finish(), 0) << run.said();
  return LossCurve(run.said());
}

// Losses are shown to .001, both of a pair rounded.
constexpr double kShown = 0.001 + 1e-9;

TEST(AnybitTrain, TrainsInTwoProcessesAsInOneWithTheDoubledBatch) {
  const std::vector<std::vector<double>> one = CurveOfOne("one", {"--points=fp32", "--batch=32"});
  ASSERT_EQ(one.size(), 12u);
  EXPECT_LE(LargestDifference(one, CurveOfTwo("two", {"--points=fp32", "--batch=16"})), kShown);
  EXPECT_TRUE(ReadArtifact(Temporary("two.safetensors")).ok());
  // With batch norm of their own the two are another training.
  EXPECT_GT(LargestDifference(one, CurveOfTwo("two", {"--points=fp32", "--batch=16", "--sync_norm=false"})),
            2 * kShown);
}

// A rounding can move a value over a step of its quantizer, so how far the order of additions alone leads has to be
// seen: other numbers of threads change nothing else.
TEST(AnybitTrain, TrainsQuantizedPointsInTwoProcessesAsInOneUpToTheOrderOfAdditions) {
  const auto flags = [](const char* batch, int threads) {
    return std::vector<std::string>{absl::StrCat("--batch=", batch), absl::StrCat("--threads=", threads)};
  };
  const std::vector<std::vector<double>> one = CurveOfOne("one", flags("32", 1));
  ASSERT_EQ(one.size(), 12u);
  double tolerance = kShown;
  for (int threads : {2, 3}) {
    tolerance = std::max(tolerance, 2 * LargestDifference(one, CurveOfOne("one", flags("32", threads))));
  }
  ASSERT_LT(tolerance, 0.02);
  EXPECT_LE(LargestDifference(one, CurveOfTwo("two", flags("16", 1))), tolerance);
}

// The activation steps in a checkpoint.
std::vector<float> StepsIn(const std::string& name) {
  std::vector<float> steps;
  const Checkpoint checkpoint = *ReadCheckpoint(Temporary(name + ".ckpt"));
  for (const auto& [tensor, values] : checkpoint.tensors) {
    if (tensor.starts_with("network.") && tensor.ends_with("_step")) steps.push_back(values.values[0]);
  }
  return steps;
}

// LSQ scales their gradients by 1 / sqrt(elements), of which a process has half.
TEST(AnybitTrain, MovesActivationStepsInTwoProcessesAsInOne) {
  const auto flags = [](const char* batch, const char* rate) {
    return std::vector<std::string>{"--start_steps=0", "--joint_steps=1", "--recipe=coquant,step_rate=10",
                                    absl::StrCat("--batch=", batch), absl::StrCat("--learning_rate=", rate)};
  };
  CurveOfOne("still", flags("32", "1e-9"));
  CurveOfOne("one", flags("32", "1"));
  CurveOfTwo("two", flags("16", "1"));
  const std::vector<float> still = StepsIn("still"), one = StepsIn("one"), two = StepsIn("two");
  ASSERT_GT(one.size(), 5u);
  double moved = 0, apart = 0;
  for (size_t i = 0; i < one.size(); ++i) {
    moved += std::abs(one[i] - still[i]);
    apart += std::abs(two[i] - one[i]);
  }
  EXPECT_LT(apart, 0.05 * moved);  // a factor of sqrt(2) is .41
}

TEST(AnybitTrain, GoesOnInTwoProcessesAsIfNeitherHadEverBeenKilled) {
  CurveOfTwo("two_whole", {});
  {
    Two two(BriefFlags("two_killed", {}));
    ASSERT_TRUE(two.first.WaitFor(" 8/12 ")) << two.first.said();
    two.first.Kill();
    // Who is left does not wait for long, and says what happened.
    EXPECT_EQ(two.second.Finish(), 1);
    EXPECT_NE(two.second.said().find("anybit-train: "), std::string::npos) << two.second.said();
  }
  const std::vector<std::string> flags = BriefFlags("two_again", {"--resume"});
  std::filesystem::rename(Temporary("two_killed.ckpt"), Temporary("two_again.ckpt"));
  Two two(flags);
  ASSERT_EQ(two.first.Finish(), 0) << two.first.said();
  ASSERT_EQ(two.second.Finish(), 0) << two.second.said();
  EXPECT_EQ(two.first.said().find(" 1/12 "), std::string::npos) << two.first.said();
  EXPECT_EQ(FileText(Temporary("two_again.safetensors")), FileText(Temporary("two_whole.safetensors")));
}

TEST(AnybitTrain, NamesTheRunInItsReportAsAsked) {
  Process run(Flags("labelled", {"--start_steps=1", "--joint_steps=1", "--label=plain"}));
  ASSERT_EQ(run.Finish(), 0) << run.said();
  const absl::StatusOr<TrainingRun> report = ParseRun(FileText(Temporary("labelled.json")));
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->recipe(), "plain");
  EXPECT_NE(report->command().find("--recipe=anybit "), std::string::npos) << report->command();
}

TEST(AnybitTrain, RoundsTheBackwardPassWhereAskedToAndSaysSo) {
  std::vector<std::string> stores;
  for (const char* backward : {"float", "bfloat16"}) {
    Process run(BriefFlags("backward", {absl::StrCat("--backward=", backward)}));
    ASSERT_EQ(run.Finish(), 0) << run.said();
    const absl::StatusOr<Artifact> artifact = ReadArtifact(Temporary("backward.safetensors"));
    ASSERT_TRUE(artifact.ok()) << artifact.status();
    EXPECT_EQ(artifact->trained_with.find("--backward=bfloat16") != std::string::npos,
              backward == std::string("bfloat16"));
    stores.emplace_back(artifact->store[1].q8.begin(), artifact->store[1].q8.end());
  }
  EXPECT_TRUE(stores[0] != stores[1]);  // bytes that nobody wants to read
}

TEST(AnybitTrain, RefusesProcessesThatWereStartedForDifferentRuns) {
  const std::vector<std::string> flags = BriefFlags("unlike", {}), others = BriefFlags("unlike", {"--weight_decay=0.5"});
  Two two(flags, others);
  EXPECT_EQ(two.second.Finish(), 1);
  EXPECT_NE(two.second.said().find("process 1 was started for another run than process 0"), std::string::npos)
      << two.second.said();
  EXPECT_EQ(two.first.Finish(), 1);
}

TEST(AnybitTrain, SaysWhatItCannotDoBeforeItTrains) {
  const auto error = [](std::vector<std::string> more) {
    Process run(Flags("refused", std::move(more)));
    EXPECT_EQ(run.Finish(), 1);
    EXPECT_EQ(run.said().find(" 1/20 "), std::string::npos) << run.said();
    return run.said();
  };
  EXPECT_NE(error({"--out=" + testing::TempDir()}).find("is a folder, not a file to write"), std::string::npos);
  EXPECT_NE(error({"--resume", "false"}).find("unexpected argument 'false'"), std::string::npos);
  EXPECT_NE(error({"--config=" + testing::TempDir()}).find("cannot read '"), std::string::npos);
  EXPECT_NE(error({"--recipe=separate", "--joint_steps=0"}).find("point 'fp32' runs every 1 joint steps"),
            std::string::npos);
}

TEST(AnybitTrain, LeavesAReportBesideTheArtifact) {
  Process run(Flags("report", {"--joint_steps=2", "--seed=3", "--recipe=coquant,swap=0"}));
  ASSERT_EQ(run.Finish(), 0) << run.said();
  const absl::StatusOr<TrainingRun> report = ParseRun(FileText(Temporary("report.json")));
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->recipe(), "coquant,swap=0");
  EXPECT_EQ(report->network(), "fashion_tiny");
  EXPECT_EQ(report->images(), "anybit_train_test_data");
  EXPECT_NE(report->command().find("--data=anybit_train_test_data "), std::string::npos) << report->command();
  EXPECT_EQ(report->seed(), 3u);
  EXPECT_GT(report->processor_seconds(), 0);
  const Artifact artifact = *ReadArtifact(Temporary("report.safetensors"));
  EXPECT_EQ(report->command(), artifact.trained_with);
  ASSERT_EQ(report->points_size(), 3);
  for (int p = 0; p < 3; ++p) {
    EXPECT_EQ(report->points(p).name(), artifact.points[p].info.name);
    EXPECT_EQ(report->points(p).test_accuracy(), artifact.points[p].info.accuracy);
    EXPECT_EQ(report->points(p).held_out_images(), 100);
    EXPECT_EQ(report->points(p).test_images(), 50);
  }
  EXPECT_NE(run.said().find("| coquant,swap=0 |"), std::string::npos) << run.said();
}

// Runs are chosen by the held-out images; the chosen one is resumed at its end to be tested.
TEST(AnybitTrain, LeavesTheTestImagesAloneUntilAskedFor) {
  std::vector<std::string> flags = Flags("untested", {"--joint_steps=2", "--test=false"});
  Process choosing(flags);
  ASSERT_EQ(choosing.Finish(), 0) << choosing.said();
  const Artifact before = *ReadArtifact(Temporary("untested.safetensors"));
  const TrainingRun report = *ParseRun(FileText(Temporary("untested.json")));
  for (int p = 0; p < 3; ++p) {
    EXPECT_EQ(report.points(p).test_images(), 0);
    EXPECT_EQ(before.points[p].accuracy_images, 100);
    EXPECT_EQ(before.points[p].info.accuracy, report.points(p).held_out_accuracy());
  }
  EXPECT_EQ(choosing.said().find("Test set"), std::string::npos) << choosing.said();
  flags.back() = "--resume";
  Process testing(flags);
  ASSERT_EQ(testing.Finish(), 0) << testing.said();
  const Artifact after = *ReadArtifact(Temporary("untested.safetensors"));
  EXPECT_EQ(testing.said().find(" 1/6 "), std::string::npos) << testing.said();
  EXPECT_EQ(after.trained_with, before.trained_with);
  for (size_t p = 0; p < 3; ++p) {
    EXPECT_EQ(after.points[p].accuracy_images, 50);
    for (size_t l = 0; l < after.points[p].layers.size(); ++l) {
      EXPECT_EQ(after.points[p].layers[l].scale, before.points[p].layers[l].scale);
      EXPECT_EQ(after.points[p].layers[l].bias, before.points[p].layers[l].bias);
    }
  }
  for (size_t l = 0; l < after.store.size(); ++l) {
    EXPECT_EQ(after.store[l].q8, before.store[l].q8);
    EXPECT_EQ(after.store[l].full, before.store[l].full);
  }
}

TEST(AnybitTrain, TakesFlagsFromAConfigFileAndLetsTheCommandLineWin) {
  const std::string config = Temporary("run.cfg");
  std::ofstream(config) << "# all at once\nrecipe = coquant,teacher=next\njoint_steps = 3\nseed = 9\naugment = none\n";
  std::vector<std::string> flags = Flags("config", {"--config=" + config, "--seed=5"});
  std::erase(flags, "--joint_steps=16");
  Process run(flags);
  ASSERT_EQ(run.Finish(), 0) << run.said();
  const std::string command = ReadArtifact(Temporary("config.safetensors"))->trained_with;
  EXPECT_NE(command.find("--recipe=coquant,teacher=next "), std::string::npos) << command;
  EXPECT_NE(command.find("--joint_steps=3 "), std::string::npos) << command;
  EXPECT_NE(command.find("--augment=none "), std::string::npos) << command;
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
  EXPECT_EQ(
      error({"--augment=shift=99"}),
      "anybit-train: augmentation 'shift=99': shift must be below and cutout at most 32 in pictures of 32x32x1\n");
  EXPECT_EQ(error({"--optimizer=lamb"}), "anybit-train: optimizer 'lamb' is not adamw or sgd\n");
  EXPECT_EQ(error({"--backward=half"}), "anybit-train: backward 'half' is not float or bfloat16\n");
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
