#include "core/logs/level.h"

#include <gtest/gtest.h>

namespace berth::logs {
namespace {

TEST(Level, IsReadAsLoggersWriteIt) {
  struct Case {
    const char* text;
    std::optional<Level> level;
  };
  const Case table[] = {
      {R"({"level":"error","msg":"x"})", Level::error},
      {R"( {"time":"2026-11-24T09:00:00Z", "level" : "WARN" })", Level::warning},
      {R"({"level":30,"msg":"pino"})", Level::info},
      {R"({"level":50,"msg":"pino"})", Level::error},
      {R"({"short_message":"gelf","level":3})", Level::error},
      {R"({"severity":"CRITICAL"})", Level::critical},
      {R"({"log.level":"debug"})", Level::debug},
      {R"({"@t":"2026-11-24T09:00:01Z","@l":"Fatal"})", Level::critical},
      {R"({"level":"4"})", Level::warning},
      {R"({"level":9})", {}},
      {R"({"level":800,"msg":"java.util.logging"})", {}},
      {R"({"msg":"the \"level\":\"error\" of","levelname":"INFO"})", Level::info},
      {R"({"context":{"level":"error"},"level":"info"})", Level::info},
      {R"({"context":{"level":"error"}})", {}},
      {R"({"level":"loud"})", {}},
      {R"({"level":)", {}},
      {R"({"level":"err)", {}},
      {"time=2026-11-24T09:00:00Z level=warn msg=x", Level::warning},
      {"level=\"fatal\" msg=x", Level::critical},
      {"sublevel=error msg=x", {}},
      {"<3>kernel says", Level::error},
      {"<7>kernel says", Level::debug},
      {"E1124 09:00:00.000000 1 main.go:1] x", Level::error},
      {"I1124 09:00:00.000000 1 main.go:1] ERROR in the text", Level::info},
      {"2026-11-24 09:00:00,123 ERROR [main] com.example: x", Level::error},
      {"2026/11/24 09:00:00 [warn] 12#12: *1 x", Level::warning},
      {"[2026-11-24 09:00:00] [INFO] x", Level::info},
      {"DEBUG:root:x", Level::debug},
      {"WARNING: x", Level::warning},
      {"error: x", Level::error},
      {"ValueError: bad", Level::error},
      {"java.lang.IllegalStateException: bad", Level::error},
      {"panic: runtime error", Level::critical},
      {"Traceback (most recent call last):", Level::error},
      {"no error was found", {}},
      {"an info page was served", {}},
      {"GET /error HTTP/1.1 200", {}},
      {"", {}},
      {"   ", {}},
  };
  for (const Case& one : table) EXPECT_EQ(level_of(one.text), one.level) << one.text;
}

TEST(Level, OfJsonSaysWhereItStands) {
  const auto word = level_in_json(R"({"context":{"level":"info"},"severity":"ALERT","level":"debug"})");
  ASSERT_TRUE(word);
  EXPECT_EQ(word->key, "severity");
  EXPECT_EQ(word->said, "ALERT");
  EXPECT_EQ(word->level, Level::critical);
  const auto number = level_in_json(R"({"level":40})");
  ASSERT_TRUE(number);
  EXPECT_EQ(number->said, "40");
  EXPECT_FALSE(level_in_json(R"({"msg":"level"})"));
}

TEST(Level, OfAnOptionIsALevelOrAnErrorThatListsThem) {
  EXPECT_EQ(parse_level("WARN").value(), Level::warning);
  const auto wrong = parse_level("loud");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, Errc::usage);
  EXPECT_NE(wrong.error().message.find("'loud' is no level; one of trace, debug"), std::string::npos);
}

TEST(Level, StackTracesGoOn) {
  for (const char* text : {"  File \"x.py\", line 1", "\tat com.example.Main", "Caused by: java.io.IOException: x", "goroutine 1 [running]:", "}"})
    EXPECT_TRUE(continues_line(text)) << text;
  for (const char* text : {"", "INFO next", "x"}) EXPECT_FALSE(continues_line(text)) << text;
}

}  // namespace
}  // namespace berth::logs
