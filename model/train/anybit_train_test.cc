// The program's command line, its files and its messages: flags and configuration files, damaged examples, reports.
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "model/format/artifact.h"
#include "model/train/run_file.h"
#include "model/train/testing/image_folder.h"
#include "model/train/testing/train_program.h"
#include "model/train/trainer/checkpoint.h"

namespace anybit::model::train {
namespace {

TEST(AnybitTrain, FindsDamagedImagesOfBothSplitsBeforeTheFirstStepAndLeavesThemOutWhereAllowed) {
  const std::string folder = ImageFolder("damaged", {"train", "test"});
  const std::string training = folder + "/train/class1/3.png", test = folder + "/test/class2/4.png";
  CutInTheMiddle(training);
  const auto run = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"--data=" + folder, "--held_out=8", "--joint_steps=2", "--points=fp32"});
    return std::make_unique<Process>(Flags("damaged", std::move(more)));
  };
  auto refused = run({});
  EXPECT_EQ(refused->Finish(), 1);
  EXPECT_NE(refused->output().find(absl::StrCat("1 example of 48 cannot be read, limit 0: '", training,
                                                "': PNG: the file ends too early (--max_damaged=1 leaves them out)")),
            std::string::npos)
      << refused->output();
  CutInTheMiddle(test);
  auto too_many = run({"--max_damaged=1"});
  EXPECT_EQ(too_many->Finish(), 1);
  EXPECT_NE(too_many->output().find(test), std::string::npos) << too_many->output();
  EXPECT_EQ(too_many->output().find(" 1/6 "), std::string::npos) << too_many->output();
  auto allowed = run({"--max_damaged=2"});
  ASSERT_EQ(allowed->Finish(), 0) << allowed->output();
  for (const std::string& path : {training, test}) {
    EXPECT_NE(allowed->output().find(absl::StrCat("damaged, left out: '", path, "'")), std::string::npos)
        << allowed->output();
  }
  EXPECT_EQ(ParseRun(FileText(Temporary("damaged.json")))->points(0).test_images(), 47);
}

TEST(AnybitTrain, SavesWhatItLearnedBeforeAnImageThatHasGone) {
  const std::string folder = ImageFolder("gone", {"train", "test"});
  Process run(LongFlags("gone", {"--data=" + folder, "--held_out=8", "--points=fp32"}));
  ASSERT_TRUE(run.WaitFor(" 5/")) << run.output();
  std::filesystem::remove_all(folder + "/train/class1");
  EXPECT_EQ(run.Finish(), 1);
  EXPECT_NE(run.output().find("anybit-train: cannot open '" + folder + "/train/class1/"), std::string::npos)
      << run.output();
  EXPECT_NE(run.output().find("to go on: model/train/anybit-train "), std::string::npos) << run.output();
  EXPECT_GE(ReadCheckpoint(Temporary("gone.ckpt"))->step, 5);
}

TEST(AnybitTrain, NeedsNoTestRowsWhereItDoesNotTest) {
  const std::string folder = ImageFolder("untested_images", {"Train"});
  const std::vector<std::string> more = {"--data=" + folder, "--held_out=8", "--joint_steps=2", "--points=fp32"};
  Process refused(Flags("untested_images", more));
  EXPECT_EQ(refused.Finish(), 1);
  EXPECT_NE(refused.output().find("has no folder test, testing, val, validation, valid; it holds 'Train'"),
            std::string::npos)
      << refused.output();
  std::vector<std::string> untested = Flags("untested_images", more);
  untested.push_back("--test=false");
  Process run(untested);
  EXPECT_EQ(run.Finish(), 0) << run.output();
  EXPECT_NE(run.output().find("training rows: 48 images of 4 classes in '" + folder + "/Train'"), std::string::npos)
      << run.output();
}

TEST(AnybitTrain, NamesTheRunInItsReportAsAsked) {
  Process run(Flags("labelled", {"--start_steps=1", "--joint_steps=1", "--label=plain"}));
  ASSERT_EQ(run.Finish(), 0) << run.output();
  const absl::StatusOr<TrainingRun> report = ParseRun(FileText(Temporary("labelled.json")));
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->recipe(), "plain");
  EXPECT_NE(report->command().find("--recipe=anybit "), std::string::npos) << report->command();
}

TEST(AnybitTrain, RoundsTheBackwardPassWhereAskedToAndSaysSo) {
  std::vector<std::string> stores;
  for (const char* backward : {"float", "bfloat16"}) {
    Process run(BriefFlags("backward", {absl::StrCat("--backward=", backward)}));
    ASSERT_EQ(run.Finish(), 0) << run.output();
    const absl::StatusOr<Artifact> artifact = ReadArtifact(Temporary("backward.safetensors"));
    ASSERT_TRUE(artifact.ok()) << artifact.status();
    EXPECT_EQ(artifact->trained_with.find("--backward=bfloat16") != std::string::npos,
              backward == std::string("bfloat16"));
    stores.emplace_back(artifact->store[1].q8.begin(), artifact->store[1].q8.end());
  }
  EXPECT_TRUE(stores[0] != stores[1]);  // bytes that nobody wants to read
}

// What a run says that ends before its first step, with this exit status.
std::string Error(int exit_status, std::vector<std::string> more) {
  Process run(Flags("refused", std::move(more)));
  EXPECT_EQ(run.Finish(), exit_status) << run.output();
  EXPECT_EQ(run.output().find(" 1/20 "), std::string::npos) << run.output();
  return run.output();
}

TEST(AnybitTrain, SaysWhatItCannotDoBeforeItTrains) {
  EXPECT_NE(Error(1, {"--out=" + testing::TempDir()}).find("is a folder, not a file to write"), std::string::npos);
  EXPECT_NE(Error(1, {"--checkpoint=" + testing::TempDir()}).find("is a folder, not a file to write"),
            std::string::npos);
  EXPECT_NE(Error(1, {"--recipe=separate", "--joint_steps=0"}).find("point 'fp32' runs every 1 joint steps"),
            std::string::npos);
  const std::string shift = Error(1, {"--augment=shift=99"});
  EXPECT_TRUE(shift.ends_with(
      "anybit-train: augmentation 'shift=99': shift must be below and cutout at most 32 in pictures of 32x32x1\n"))
      << shift;
  const std::string text = Temporary("text.cfg");
  std::ofstream(text) << "seed = 1\n";
  EXPECT_NE(Error(1, {"--start=" + text}).find("is neither an artifact ("), std::string::npos);
}

TEST(AnybitTrain, EndsWithTwoWhereItsCommandLineIsWrong) {
  EXPECT_NE(Error(2, {"--resume", "false"}).find("unexpected argument 'false'"), std::string::npos);
  EXPECT_EQ(Error(2, {"--recipe=coquant,swap=2"}), "anybit-train: recipe: swap=2 is not one of 0..1\n");
  EXPECT_EQ(Error(2, {"--optimizer=lamb"}), "anybit-train: optimizer 'lamb' is not adamw or sgd\n");
  EXPECT_EQ(Error(2, {"--lr_range_test=1:1e-3"}),
            "anybit-train: range of learning rates '1:1e-3' is not LOW:HIGH with 1e-09 <= LOW < HIGH <= 100\n");
  EXPECT_EQ(Error(2, {"--backward=half"}), "anybit-train: backward 'half' is not float or bfloat16\n");
}

TEST(AnybitTrain, EndsWithTwoWhereItsConfigurationFileIsWrong) {
  EXPECT_NE(Error(2, {"--config=" + testing::TempDir()}).find("cannot read '"), std::string::npos);
  const std::string config = Temporary("wrong.cfg");
  std::ofstream(config) << "seed = 1\njoin_steps = 3\n";
  EXPECT_NE(Error(2, {"--config", config}).substr(0, 200).find("wrong.cfg:2: unknown key 'join_steps'; known: "),
            std::string::npos);
  std::ofstream(config) << "batch = many\n";
  EXPECT_NE(Error(2, {"--config=" + config}).find("wrong.cfg:1: batch = many: "), std::string::npos);
}

TEST(AnybitTrain, LeavesAReportBesideTheArtifact) {
  Process run(Flags("report", {"--joint_steps=2", "--seed=3", "--recipe=coquant,swap=0"}));
  ASSERT_EQ(run.Finish(), 0) << run.output();
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
    int64_t taught = 0;
    for (const TeacherSteps& teacher : report->points(p).teachers()) taught += teacher.steps();
    EXPECT_EQ(taught, p == 0 ? 0 : 2);
  }
  EXPECT_EQ(report->points(1).teachers(0).name(), report->points(0).name());
  EXPECT_NE(run.output().find("| coquant,swap=0 |"), std::string::npos) << run.output();
}

// Runs are chosen by the held-out images; the chosen one is resumed at its end to be tested.
TEST(AnybitTrain, LeavesTheTestImagesAloneUntilAskedFor) {
  std::vector<std::string> flags = Flags("untested", {"--joint_steps=2", "--test=false"});
  Process choosing(flags);
  ASSERT_EQ(choosing.Finish(), 0) << choosing.output();
  const Artifact before = *ReadArtifact(Temporary("untested.safetensors"));
  const TrainingRun report = *ParseRun(FileText(Temporary("untested.json")));
  for (int p = 0; p < 3; ++p) {
    EXPECT_EQ(report.points(p).test_images(), 0);
    EXPECT_EQ(before.points[p].accuracy_images, 100);
    EXPECT_EQ(before.points[p].info.accuracy, report.points(p).held_out_accuracy());
  }
  EXPECT_EQ(choosing.output().find("Test set"), std::string::npos) << choosing.output();
  flags.back() = "--resume";
  Process testing(flags);
  ASSERT_EQ(testing.Finish(), 0) << testing.output();
  const Artifact after = *ReadArtifact(Temporary("untested.safetensors"));
  EXPECT_EQ(testing.output().find(" 1/6 "), std::string::npos) << testing.output();
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

TEST(AnybitTrain, ReportsTheStepOfTheBestNetwork) {
  Process run(Flags("best", {"--joint_steps=6", "--keep_best=w1a1", "--evaluation_interval=2"}));
  ASSERT_EQ(run.Finish(), 0) << run.output();
  const TrainingRun report = *ParseRun(FileText(Temporary("best.json")));
  for (const PointResult& point : report.points()) {
    EXPECT_GT(point.best_step(), 4);
    EXPECT_EQ(point.best_step() % 2, 0);
  }
  EXPECT_NE(run.output().find(absl::StrCat("the result is the network after step ", report.points(0).best_step())),
            std::string::npos)
      << run.output();
  EXPECT_TRUE(report.command().ends_with(" --keep_best=w1a1 --evaluation_interval=2 --threads=1")) << report.command();
}

TEST(AnybitTrain, TestsLearningRatesInsteadOfTraining) {
  for (const char* file : {"rates.rates.json", "rates.rates.svg", "rates.safetensors"}) {
    std::filesystem::remove(Temporary(file));
  }
  Process run(Flags("rates", {"--lr_range_test=1e-5:1e-1", "--lr_range_steps=20"}));
  ASSERT_EQ(run.Finish(), 0) << run.output();
  EXPECT_NE(run.output().find("steepest descent "), std::string::npos) << run.output();
  EXPECT_NE(FileText(Temporary("rates.rates.json")).find("\"phase\": \"start\""), std::string::npos);
  EXPECT_NE(FileText(Temporary("rates.rates.svg")).find("Training at full precision"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(Temporary("rates.safetensors")));
  EXPECT_FALSE(std::filesystem::exists(Temporary("rates.ckpt")));
}

TEST(AnybitTrain, TakesFlagsFromAConfigFileAndLetsTheCommandLineWin) {
  const std::string config = Temporary("run.cfg");
  std::ofstream(config) << "# all at once\nrecipe = coquant,teacher=next\njoint_steps = 3\nseed = 9\naugment = none\n";
  std::vector<std::string> flags = Flags("config", {"--config=" + config, "--seed=5"});
  std::erase(flags, "--joint_steps=16");
  Process run(flags);
  ASSERT_EQ(run.Finish(), 0) << run.output();
  const std::string command = ReadArtifact(Temporary("config.safetensors"))->trained_with;
  EXPECT_NE(command.find("--recipe=coquant,teacher=next "), std::string::npos) << command;
  EXPECT_NE(command.find("--joint_steps=3 "), std::string::npos) << command;
  EXPECT_NE(command.find("--augment=none "), std::string::npos) << command;
  EXPECT_NE(command.find("--seed=5"), std::string::npos) << command;
}

TEST(AnybitTrain, WritesOneArtifactPerPointThatIsTrainedAlone) {
  std::vector<std::string> flags = Flags("alone", {"--recipe=separate", "--joint_steps=2", "--points=w4a4,w1a1"});
  Process run(flags);
  ASSERT_EQ(run.Finish(), 0) << run.output();
  for (const char* point : {"w4a4", "w1a1"}) {
    const absl::StatusOr<Artifact> artifact = ReadArtifact(Temporary(absl::StrCat("alone.", point, ".safetensors")));
    ASSERT_TRUE(artifact.ok()) << artifact.status();
    EXPECT_EQ(artifact->points.size(), 1u);
    EXPECT_EQ(artifact->points[0].info.name, point);
  }
}

}  // namespace
}  // namespace anybit::model::train
