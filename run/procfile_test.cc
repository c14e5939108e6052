#include "run/procfile.h"

#include <gmock/gmock.h>

#include "core/spec/rules.h"

namespace berth::run {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Procfile, HasAProcessALine) {
  const auto lines = parse_procfile("# all of it\r\nweb: bin/web -p $PORT\r\n\n  Work_Er :  rake a:b | cat\n", "Procfile");
  ASSERT_TRUE(lines) << lines.error().message;
  EXPECT_THAT(*lines, ElementsAre(ProcfileLine{"web", "web", "bin/web -p $PORT"}, ProcfileLine{"Work_Er", "work-er", "rake a:b | cat"}));
}

TEST(Procfile, SaysWhereSomethingIsWrong) {
  const std::pair<std::string, const char*> table[] = {
      {"web: x\nworker\n", "Procfile:2: 'name: command' is expected"},
      {"1web: x\n", "Procfile:1: '1web' is no name of a process"},
      {"we b: x\n", "Procfile:1: 'we b' is no name"},
      {"web:\n", "Procfile:1: web has no command"},
      {"a_b: x\na-b: y\n", "Procfile:2: a-b is there already"},
      {"pre-start: x\n", "Procfile:1: 'pre-start' is the name of a hook"},
      {"# nothing\n", "Procfile: has no process"},
      {std::string("web: a\0b\n", 9), "has a NUL in it"},
  };
  for (const auto& [text, says] : table) {
    const auto lines = parse_procfile(text, "Procfile");
    ASSERT_FALSE(lines) << text;
    EXPECT_EQ(lines.error().code, Errc::usage);
    EXPECT_THAT(lines.error().message, HasSubstr(says));
  }
}

TEST(Procfile, ACommandWithoutAnythingForAShellIsItsWords) {
  EXPECT_THAT(plain_words("  node  server.js --port=$PORT"), ElementsAre("node", "server.js", "--port=${PORT}"));
  EXPECT_THAT(plain_words("serve -b 0.0.0.0:${PORT}"), ElementsAre("serve", "-b", "0.0.0.0:${PORT}"));
  for (const char* needs_one : {"", "a | b", "a && b", "A=1 b", "a $HOME", "a \"b c\"", "cd x", "exec a", "a $PORTS", "a *.js", "a $PORT$PORT", "a > b", "a `b`"})
    EXPECT_THAT(plain_words(needs_one), IsEmpty()) << needs_one;
}

TEST(Procfile, MakesASpecThatKeepsEveryRule) {
  const spec::AppSpec spec = spec_of_procfile("shop", {{"web", "web", "a -p $PORT && b ${X:-1}"}, {"clock", "clock", "c"}});
  EXPECT_THAT(spec::broken_rules(spec), IsEmpty());
  EXPECT_THAT(spec.processes.at("web").command, ElementsAre("/bin/sh", "-c", "a -p $$PORT && b $${X:-1}"));
  EXPECT_EQ(spec::main_port(spec.processes.at("clock")), "http");
}

TEST(Formation, SaysHowManyOfEach) {
  const spec::AppSpec spec = spec_of_procfile("shop", {{"web", "web", "a"}, {"work_er", "work-er", "b"}, {"clock", "clock", "c"}});
  using Numbers = std::map<std::string, int>;
  const std::pair<const char*, Numbers> table[] = {
      {"web=2,work_er=1", {{"web", 2}, {"work-er", 1}, {"clock", 0}}},
      {"all=1, clock = 0", {{"web", 1}, {"work-er", 1}, {"clock", 0}}},
      {"work-er=3", {{"web", 0}, {"work-er", 3}, {"clock", 0}}},
  };
  for (const auto& [text, numbers] : table) {
    const auto formation = parse_formation(text, spec);
    ASSERT_TRUE(formation) << formation.error().message;
    EXPECT_EQ(*formation, numbers) << text;
  }
  for (const char* wrong : {"web", "web=", "web=x", "web=-1", "web=1000", "=1", "web=1;clock=1"}) EXPECT_EQ(parse_formation(wrong, spec).error().code, Errc::usage) << wrong;
  EXPECT_THAT(parse_formation("wob=1", spec).error().message, HasSubstr("no process 'wob'; there are clock, web, work-er"));
}

}  // namespace
}  // namespace berth::run
