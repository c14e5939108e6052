#include "core/logs/cri_line.h"

#include <gtest/gtest.h>

#include "core/logs/log_filter.h"

namespace berth::logs {
namespace {

TEST(CriLine, ReadsTimeStreamTagAndText) {
  struct Case {
    std::string line;
    Stream stream;
    bool partial;
    std::string text;
  };
  const Case table[] = {
      {"2026-11-24T09:00:00.000000001Z stdout F hello world", Stream::out, false, "hello world"},
      {"2026-11-24T09:00:00Z stderr P half", Stream::err, true, "half"},
      {"2026-11-24T09:00:00Z stdout F ", Stream::out, false, ""},
      {"2026-11-24T09:00:00Z stdout F", Stream::out, false, ""},
      {"2026-11-24T09:00:00Z stdout F:x  two spaces ", Stream::out, false, " two spaces "},
      {std::string("2026-11-24T09:00:00Z stdout F a\0b\r", 34), Stream::out, false, std::string("a\0b\r", 4)},
  };
  for (const Case& one : table) {
    const auto parsed = parse_cri_line(one.line);
    ASSERT_TRUE(parsed) << one.line;
    EXPECT_EQ(parsed->stream, one.stream) << one.line;
    EXPECT_EQ(parsed->partial, one.partial) << one.line;
    EXPECT_EQ(parsed->text, one.text) << one.line;
  }
}

TEST(CriLine, TellsWhoseItIs) {
  struct Case {
    const char* line;
    const char *release, *deployment, *pid;
    bool keeper;
  };
  const Case table[] = {
      {"2026-11-24T09:00:00Z stdout F text", "", "", "", false},
      {"2026-11-24T09:00:00Z stdout F:v42:17:4711 text", "v42", "17", "4711", false},
      {"2026-11-24T09:00:00Z stdout P:v42:17:4711 text", "v42", "17", "4711", false},
      {"2026-11-24T09:00:00Z stderr F:v42:17:4711:keeper text", "v42", "17", "4711", true},
      {"2026-11-24T09:00:00Z stdout F:2026.11-24_a:0:0 text", "2026.11-24_a", "", "", false},
      {"2026-11-24T09:00:00Z stdout F:v42 text", "v42", "", "", false},
      {"2026-11-24T09:00:00Z stdout F:v42:17:4711:other:more text", "v42", "17", "4711", false},
  };
  for (const Case& one : table) {
    const auto parsed = parse_cri_line(one.line);
    ASSERT_TRUE(parsed) << one.line;
    EXPECT_EQ(parsed->text, "text") << one.line;
    const LineTag tag = parse_tag(parsed->tag);
    EXPECT_EQ(tag.release, one.release) << one.line;
    EXPECT_EQ(tag.deployment, one.deployment) << one.line;
    EXPECT_EQ(tag.pid, one.pid) << one.line;
    EXPECT_EQ(tag.keeper, one.keeper) << one.line;
  }
}

TEST(CriLine, RefusesWhatIsNone) {
  for (const char* line : {"", "hello", "2026-11-24T09:00:00Z", "2026-11-24T09:00:00Z stdin F x", "2026-11-24T09:00:00Z stdout X x", "24 stdout F x",
                           "2026-11-24T09:00:00Z stdoutF x"})
    EXPECT_FALSE(parse_cri_line(line)) << line;
}

CriLine line(Stream stream, bool partial, std::string_view text, int second = 0) {
  return {.time = Time(std::chrono::seconds(second)), .stream = stream, .partial = partial, .text = text};
}

TEST(LineJoiner, JoinsTheParts_EachStreamForItself) {
  LineJoiner joiner;
  EXPECT_FALSE(joiner.add(line(Stream::out, true, "one ", 1), 10));
  const auto error = joiner.add(line(Stream::err, false, "trouble", 2), 11);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->text, "trouble");
  const auto whole = joiner.add(line(Stream::out, false, "line", 3), 12);
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->text, "one line");
  EXPECT_EQ(whole->time, Time(std::chrono::seconds(1)));
  EXPECT_EQ(whole->sequence, 12u);
  EXPECT_FALSE(joiner.flush());
}

TEST(LineJoiner, JoinsThePartsOfEachReleaseForItself) {
  const auto tagged = [](bool partial, std::string_view tag, std::string_view text) {
    CriLine made = line(Stream::out, partial, text);
    made.tag = tag;
    return made;
  };
  LineJoiner joiner;
  EXPECT_FALSE(joiner.add(tagged(true, "v1:1:10", "old "), 1));
  EXPECT_FALSE(joiner.add(tagged(true, "v2:2:20", "new "), 2));
  const auto other = joiner.add(tagged(false, "v1:1:10:keeper", "lost"), 3);
  ASSERT_TRUE(other);
  EXPECT_TRUE(other->keeper);
  EXPECT_TRUE(joiner.open());
  const auto second = joiner.add(tagged(false, "v2:2:20", "line"), 4);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->text, "new line");
  EXPECT_EQ(second->release, "v2");
  const auto first = joiner.add(tagged(false, "v1:1:10", "line"), 5);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->text, "old line");
  EXPECT_EQ(first->release, "v1");
  EXPECT_EQ(first->deployment, "1");
  EXPECT_EQ(first->pid, "10");
  EXPECT_FALSE(joiner.open());
}

TEST(LineJoiner, GivesWhatARunLeftOpenWhereTheNextOneWrites) {
  const auto tagged = [](Stream stream, bool partial, std::string_view tag, std::string_view text) {
    CriLine made = line(stream, partial, text);
    made.tag = tag;
    return made;
  };
  LineJoiner joiner;
  EXPECT_FALSE(joiner.add(tagged(Stream::out, true, "v1:1:10", "torn"), 1));
  EXPECT_TRUE(joiner.add(tagged(Stream::err, false, "v1:1:11", "on another stream"), 2));
  EXPECT_TRUE(joiner.add(tagged(Stream::out, false, "v2:2:20", "of another release"), 3));
  EXPECT_TRUE(joiner.add(tagged(Stream::out, false, "v1:1:0", "of no run"), 4));
  EXPECT_FALSE(joiner.more());
  EXPECT_TRUE(joiner.open());
  const auto torn = joiner.add(tagged(Stream::out, false, "v1:3:11", "next"), 5);
  ASSERT_TRUE(torn);
  EXPECT_EQ(torn->text, "torn");
  EXPECT_EQ(torn->pid, "10");
  EXPECT_EQ(torn->sequence, 1u);
  EXPECT_TRUE(torn->cut);
  const auto next = joiner.more();
  ASSERT_TRUE(next);
  EXPECT_EQ(next->text, "next");
  EXPECT_EQ(next->sequence, 5u);
  EXPECT_FALSE(next->cut);
  EXPECT_FALSE(joiner.more());
  EXPECT_FALSE(joiner.open());

  EXPECT_FALSE(joiner.add(tagged(Stream::out, true, "v1:3:11", "torn again"), 6));
  EXPECT_EQ(joiner.add(tagged(Stream::out, true, "v1:3:12", "new "), 7)->text, "torn again");
  EXPECT_FALSE(joiner.more());
  EXPECT_EQ(joiner.add(tagged(Stream::out, false, "v1:3:12", "line"), 8)->text, "new line");
}

TEST(LineJoiner, CutsTheOldestOfManyThatAreNeverEnded) {
  LineJoiner joiner;
  std::size_t cut = 0;
  for (int i = 0; i < 20; ++i) {
    const std::string tag = "v" + std::to_string(i);
    CriLine made = line(Stream::out, true, "part", i);
    made.tag = tag;
    if (const auto record = joiner.add(made, 0)) {
      EXPECT_EQ(record->release, "v" + std::to_string(cut++));
      EXPECT_TRUE(record->cut);
    }
  }
  EXPECT_EQ(cut, 20 - LineJoiner::kMostOpen);
}

TEST(LineJoiner, GivesWhatWasLeftWithoutANewline_OldestFirst) {
  LineJoiner joiner;
  EXPECT_FALSE(joiner.add(line(Stream::err, true, "second", 2), 1));
  EXPECT_FALSE(joiner.add(line(Stream::out, true, "first", 1), 2));
  EXPECT_EQ(joiner.flush()->text, "first");
  EXPECT_EQ(joiner.flush()->text, "second");
  EXPECT_FALSE(joiner.flush());
}

TEST(LineJoiner, CutsALineWithoutEnd) {
  LineJoiner joiner;
  const std::string part(64u << 10, 'x');
  std::size_t bytes = 0, records = 0;
  for (int i = 0; i < 100; ++i) {
    const auto record = joiner.add(line(Stream::out, true, part), 0);
    if (!record) continue;
    EXPECT_TRUE(record->cut);
    EXPECT_LE(record->text.size(), LineJoiner::kMostRecord + part.size());
    bytes += record->text.size();
    ++records;
  }
  const auto rest = joiner.flush();
  ASSERT_TRUE(rest);
  EXPECT_EQ(bytes + rest->text.size(), 100 * part.size());
  EXPECT_EQ(records, 6u);
}

TEST(Pattern, FindsFixedTextAsItStands) {
  const auto dot = Pattern::fixed("a.c");
  EXPECT_TRUE(dot.found_in("xa.cx"));
  EXPECT_FALSE(dot.found_in("abc"));
}

TEST(Pattern, FindsRegularExpressionsInLongLinesAndAfterNuls) {
  const auto number = Pattern::regex("status=5[0-9]{2}$").value();
  EXPECT_TRUE(number.found_in(std::string(500'000, 'x') + std::string(1, '\0') + "status=503"));
  EXPECT_FALSE(number.found_in("status=5030"));
}

TEST(Pattern, SaysWhatIsWrongWithAnExpression) {
  const auto wrong = Pattern::regex("a(b");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, Errc::usage);
  EXPECT_NE(wrong.error().message.find("'a(b'"), std::string::npos);
}

}  // namespace
}  // namespace berth::logs
