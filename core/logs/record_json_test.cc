#include "core/logs/record_json.h"

#include <gtest/gtest.h>

namespace berth::logs {
namespace {

using namespace std::chrono_literals;

Record sample() {
  return {.time = Time(1'790'000'000'123'456'789ns), .stream = Stream::err, .text = "caf\xc3\xa9 \"x\" \x1b[31m", .sequence = 42, .source = 0, .cut = true, .release = "v2",
          .deployment = "7", .pid = "4242", .keeper = false, .level = Level::warning};
}

TEST(RecordJson, IsReadBackAsItWas) {
  const InstanceId id{.app = "web", .process = "worker", .number = 2, .release = {}};
  const Record record = sample();
  const auto told = told_record(json::text(to_json(record, id)));
  ASSERT_TRUE(told) << told.error().message;
  EXPECT_EQ(told->id, id);
  EXPECT_EQ(told->record.time, record.time);
  EXPECT_EQ(told->record.stream, record.stream);
  EXPECT_EQ(told->record.text, record.text);
  EXPECT_EQ(told->record.sequence, record.sequence);
  EXPECT_EQ(told->record.release, record.release);
  EXPECT_EQ(told->record.deployment, record.deployment);
  EXPECT_EQ(told->record.pid, record.pid);
  EXPECT_EQ(told->record.level, record.level);
  EXPECT_TRUE(told->record.cut);
  EXPECT_FALSE(told->record.keeper);
}

TEST(RecordJson, WhatALineDoesNotTellIsNotMadeUp) {
  Record record{.time = Time(0ns), .text = "said", .sequence = 1};
  record.keeper = true;
  const json::object line = to_json(record, {.app = "web", .process = "web", .number = 1, .release = {}});
  for (const char* name : {"release", "deployment", "pid", "level", "cut"}) EXPECT_FALSE(line.contains(name)) << name;
  const auto told = told_record(json::text(line));
  ASSERT_TRUE(told) << told.error().message;
  EXPECT_TRUE(told->record.keeper);
  EXPECT_FALSE(told->record.level);
  EXPECT_TRUE(told->record.deployment.empty());
}

TEST(RecordJson, WhatIsNoLineOfALogIsRefused) {
  for (const char* line : {"", "{}", "[]", "text", R"({"time": "soon", "instance": "web/web.1", "stream": "stdout", "sequence": 1, "text": ""})",
                           R"({"time": "2026-11-24T09:00:00Z", "instance": "web", "stream": "stdout", "sequence": 1, "text": ""})",
                           R"({"time": "2026-11-24T09:00:00Z", "instance": "web/web.1", "stream": "stdout", "sequence": -1, "text": ""})",
                           R"({"time": "2026-11-24T09:00:00Z", "instance": "web/web.1", "stream": "stdout", "sequence": 1, "text": 7})"}) {
    const auto told = told_record(line);
    ASSERT_FALSE(told) << line;
    EXPECT_EQ(told.error().code, Errc::protocol) << line;
  }
  EXPECT_TRUE(told_record(R"({"time": "2026-11-24T09:00:00Z", "instance": "web/web.1", "stream": "stdout", "sequence": 1, "text": "", "later": true})")) << "of a newer berthd";
}

}  // namespace
}  // namespace berth::logs
