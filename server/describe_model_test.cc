#include "server/describe_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/testing/infer_request.h"

namespace anybit::server {
namespace {

using ::testing::ElementsAre;
using testing::Model;

TEST(DescribeModelTest, MetadataHasTheBatchDimensionAndConfigHasNot) {
  const auto metadata = DescribeModel(Model());
  EXPECT_THAT(metadata.inputs(0).shape(), ElementsAre(-1, 2, 2, 1));
  EXPECT_THAT(metadata.outputs(0).shape(), ElementsAre(-1, 3));
  const auto config = ConfigureModel(Model());
  EXPECT_THAT(config.input(0).dims(), ElementsAre(2, 2, 1));
  EXPECT_THAT(config.output(0).dims(), ElementsAre(3));
  EXPECT_EQ(config.max_batch_size(), 4);
  EXPECT_TRUE(config.has_dynamic_batching());
  EXPECT_EQ(config.input(0).name(), metadata.inputs(0).name());
  EXPECT_EQ(config.output(0).name(), metadata.outputs(0).name());
  EXPECT_EQ(config.input(0).data_type(), inference::TYPE_UINT8);
  EXPECT_EQ(metadata.inputs(0).datatype(), "UINT8");
}

TEST(DescribeModelTest, MetadataAdvertisesPointsAccuraciesClassesAndTenants) {
  const auto metadata = DescribeModel(Model());
  const auto& properties = metadata.properties();
  EXPECT_EQ(properties.at("operating_points"), "fp32,w8a8,w4a4f,w1a1");
  EXPECT_EQ(properties.at("operating_point.w4a4f.accuracy_bp"), "9000");
  EXPECT_EQ(properties.at("operating_point.w4a4f.weight_bits"), "4");
  EXPECT_EQ(properties.at("sla_classes"), "default,interactive");
  EXPECT_EQ(properties.at("sla_class.interactive.objective_us"), "20000");
  EXPECT_EQ(properties.at("sla_class.interactive.accuracy_floor_bp"), "8500");
  EXPECT_EQ(properties.at("sla_class.interactive.weight"), "1");
  EXPECT_EQ(properties.at("tenants"), "default,careful");
  EXPECT_EQ(properties.at("tenant.careful.share"), "3");
  EXPECT_EQ(properties.at("tenant.careful.accuracy_floor_bp"), "9200");
}

TEST(DescribeModelTest, ConfigHasThePropertiesAsParameters) {
  const auto properties = DescribeModel(Model()).properties();
  const auto config = ConfigureModel(Model());
  ASSERT_EQ(config.parameters_size(), static_cast<int>(properties.size()));
  EXPECT_EQ(config.parameters().at("operating_point.w4a4f.accuracy_bp").string_value(), "9000");
  EXPECT_EQ(config.parameters().at("sla_classes").string_value(), "default,interactive");
}

TEST(DescribeModelTest, MetadataAndConfigTellHowFloatsBecomeCodes) {
  ServedModel model = Model();
  EXPECT_FALSE(DescribeModel(model).properties().contains("fp32_input.shape"));
  model.network.floats = model::FloatInput{
      .channels_first = true, .scale = 1.0 / 255, .mean = {0.485}, .deviation = {0.229}, .shape = {1, 2, 2}};
  const auto properties = DescribeModel(model).properties();
  EXPECT_EQ(properties.at("fp32_input.shape"), "-1,1,2,2");
  EXPECT_EQ(properties.at("fp32_input.layout"), "NCHW");
  EXPECT_EQ(properties.at("fp32_input.scale"), "0.00392156863");
  EXPECT_EQ(properties.at("fp32_input.mean"), "0.485");
  EXPECT_EQ(properties.at("fp32_input.std"), "0.229");
  EXPECT_EQ(ConfigureModel(model).parameters().at("fp32_input.layout").string_value(), "NCHW");
}

TEST(DescribeModelTest, MetadataAdvertisesLabelsAsAListWhateverTheyHold) {
  ServedModel model = Model();
  model.network.labels = {"zero", "one", "two"};
  EXPECT_EQ(DescribeModel(model).properties().at("labels_json"), R"(["zero","one","two"])");
  EXPECT_EQ(DescribeModel(model).properties().at("labels"), "zero,one,two");
  model.network.labels = {"a, b", "c\"\\", "caf\xc3\xa9"};
  EXPECT_EQ(DescribeModel(model).properties().at("labels_json"), "[\"a, b\",\"c\\\"\\\\\",\"caf\xc3\xa9\"]");
  EXPECT_FALSE(DescribeModel(model).properties().contains("labels")) << "at commas it splits into four";
}

TEST(DescribeModelTest, ConfigNamesTheEntryThatHasTheLabels) {
  ServedModel model = Model();
  const auto config = ConfigureModel(model);
  EXPECT_TRUE(config.parameters().contains(config.output(0).label_filename()));
  model.network.labels.clear();
  EXPECT_EQ(ConfigureModel(model).output(0).label_filename(), "");
}

TEST(DescribeModelTest, ConfigHasAPriorityLevelForEachWeightOfClasses) {
  ServedModel model = Model();
  EXPECT_EQ(ConfigureModel(model).dynamic_batching().priority_levels(), 0u) << "all weights are equal";
  model.sla_classes = {{.name = "default", .weight = 2}, {.name = "bulk"}, {.name = "urgent", .weight = 5}};
  EXPECT_EQ(ConfigureModel(model).dynamic_batching().priority_levels(), 3u);
  EXPECT_EQ(ConfigureModel(model).dynamic_batching().default_priority_level(), 2u);
}

}  // namespace
}  // namespace anybit::server
