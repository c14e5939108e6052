#include "cli/run_output.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>

#include <gmock/gmock.h>
#include <unistd.h>

#include "core/logs/record_time.h"

namespace berth::cli {
namespace {

using testing::HasSubstr;

class RunOutputTest : public testing::Test {
 protected:
  RunOutputTest() : file(std::tmpfile(), &std::fclose) { console.out = file.get(); }

  static logs::Record record(const std::string& text, const char* at = "2026-11-27T10:00:00.123456789Z") {
    return {.time = *logs::parse_rfc3339(at), .stream = logs::Stream::out, .text = text};
  }
  static InstanceId id(const std::string& process, int number = 1) { return {.app = "web", .process = process, .number = number, .release = {}}; }
  static run::Word word(run::Word::Kind kind, const std::string& instance, const std::string& text) {
    return {.kind = kind, .at = *logs::parse_rfc3339("2026-11-27T10:00:00Z"), .instance = instance, .text = text};
  }
  /// What came out of `show`.
  template <class Show>
  std::string shown(RunOutputOptions options, Show show) {
    RunOutput output(console, options);
    show(output);
    EXPECT_TRUE(output.flush());
    std::rewind(file.get());
    std::string text(1u << 20, '\0');
    text.resize(std::fread(text.data(), 1, text.size(), file.get()));
    return text;
  }

  Console console;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file;
};

TEST_F(RunOutputTest, ALineStandsBehindTheNameOfItsInstance) {
  const auto text = shown({.name_width = 8}, [](RunOutput& output) {
    output.show(record("one"), id("web"));
    output.show(record("\x1b[31mraw\x1b[2J"), id("worker", 2));
    output.show(word(run::Word::Kind::exited, "web.1", "exited with 1"));
    output.show(record("done"), id("pre-start"));
  });
  EXPECT_EQ(text, "web.1    | one\nworker.2 | \x1b[31mraw\x1b[2J\nberth    | web.1 exited with 1\npre-start | done\n") << "a pipe gets what was written";
}

TEST_F(RunOutputTest, EachLineOfAWordHasItsHead) {
  const auto text = shown({}, [](RunOutput& output) { output.show(word(run::Word::Kind::failed, {}, "web requires:\n  A\n  B")); });
  EXPECT_EQ(text, "berth | web requires:\nberth |   A\nberth |   B\n");
}

TEST_F(RunOutputTest, OnATerminalNamesHaveColoursAndAnAppCannotSteerIt) {
  console.terminal = console.colour = true;
  const auto text = shown({}, [](RunOutput& output) {
    output.show(record("\x1b[1;31mred\x1b[0m \x1b[2J\x07"), id("web"));
    output.show(record("plain"), id("worker"));
  });
  EXPECT_THAT(text, HasSubstr("web.1 |\x1b[0m \x1b[1;31mred\x1b[0m \\x1b[2J\\x07\x1b[0m\n"));
  EXPECT_THAT(text, HasSubstr("worker.1 |\x1b[0m plain\n"));
  EXPECT_NE(text.substr(0, 5), text.substr(text.find("worker.1") - 5, 5)) << "two names have two colours";
}

TEST_F(RunOutputTest, TimesAreThoseOfThisPlace) {
  ::setenv("TZ", "UTC-2", 1);
  ::tzset();
  const auto text = shown({.timestamps = true}, [](RunOutput& output) {
    output.show(record("one"), id("web"));
    output.show(record("two", "2026-11-27T23:59:59.9Z"), id("web"));
  });
  ::unsetenv("TZ");
  ::tzset();
  EXPECT_EQ(text, "12:00:00.123 web.1 | one\n01:59:59.900 web.1 | two\n");
}

TEST_F(RunOutputTest, AsJsonAnObjectALine) {
  console.json = true;
  const auto text = shown({}, [](RunOutput& output) {
    output.show(record("a\"b\xff"), id("web"));
    output.show(word(run::Word::Kind::ready, "web.1", "ready"));
  });
  EXPECT_EQ(text, "{\"time\":\"2026-11-27T10:00:00.123456789Z\",\"instance\":\"web.1\",\"stream\":\"stdout\",\"text\":\"a\\\"b\xEF\xBF\xBD\"}\n"
                  "{\"time\":\"2026-11-27T10:00:00.000000000Z\",\"event\":\"ready\",\"instance\":\"web.1\",\"text\":\"ready\"}\n");
}

TEST_F(RunOutputTest, QuietLeavesOutAllButFailures) {
  console.quiet = true;
  const auto text = shown({}, [](RunOutput& output) {
    output.show(word(run::Word::Kind::started, "web.1", "started"));
    output.show(word(run::Word::Kind::failed, {}, "no"));
    output.show(record("line"), id("web"));
    output.show_gap(id("web"), 7);
  });
  EXPECT_THAT(text, testing::AllOf(testing::Not(HasSubstr("started")), HasSubstr("berth | no\n"), HasSubstr("web.1 | line\n"), HasSubstr("7 lines went by")));
}

TEST_F(RunOutputTest, SaysWhenNobodyTakesItAnyMore) {
  console.out = std::fopen("/dev/full", "w");
  ASSERT_NE(console.out, nullptr);
  RunOutput output(console, {});
  output.show(record("one"), id("web"));
  EXPECT_FALSE(output.flush());
  EXPECT_FALSE(output.flush()) << "for good";
  std::fclose(console.out);
}

TEST_F(RunOutputTest, AReaderThatHasGoneIsNoFailureAndADiskThatIsFullIsOne) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> full(std::fopen("/dev/full", "w"), &std::fclose);
  ASSERT_TRUE(full);
  console.out = full.get();
  RunOutput output(console, {});
  output.show(record("one"), id("web"));
  EXPECT_FALSE(output.flush());
  EXPECT_EQ(output.failure(), ENOSPC);

  int ends[2] = {};
  ASSERT_EQ(::pipe(ends), 0);
  ::close(ends[0]);
  ::signal(SIGPIPE, SIG_IGN);
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> broken(::fdopen(ends[1], "w"), &std::fclose);
  console.out = broken.get();
  RunOutput unread(console, {});
  unread.show(record("one"), id("web"));
  EXPECT_FALSE(unread.flush());
  EXPECT_EQ(unread.failure(), 0);
}

}  // namespace
}  // namespace berth::cli
