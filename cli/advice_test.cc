#include "cli/advice.h"

#include <gmock/gmock.h>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "cli/verbs.h"

namespace berth::cli {
namespace {

TEST(Advice, ForANodeNamesIt) {
  const std::pair<const char*, const char*> table[] = {
      {"web is stopped: 'berth start web' first", "web is stopped: 'berth start web --node edge-1' first"},
      {"'berth resume web', or 'berth deploy web@v14 --force'", "'berth resume web --node edge-1', or 'berth deploy web@v14 --force --node edge-1'"},
      {"deployment 7 of web@v2 goes on; see: berth status web; berth history web; berth cancel 7",
       "deployment 7 of web@v2 goes on; see: berth status web --node edge-1; berth history web --node edge-1; berth cancel 7 --node edge-1"},
      {"See: berth logs web@v2; berth history web.\nmore", "See: berth logs web@v2 --node edge-1; berth history web --node edge-1.\nmore"},
      {"See: berth apps, for what there is.", "See: berth apps --node edge-1, for what there is."},
      {"See: berth releases web, for what there is.", "See: berth releases web --node edge-1, for what there is."},
      {"  berth logs web/web.1 --previous   # all that it printed", "  berth logs web/web.1 --previous --node edge-1   # all that it printed"},
      {"berth logs web/report; berth stop web/report ends it", "berth logs web/report --node edge-1; berth stop web/report --node edge-1 ends it"},
      {"Before that, web@v3 failed: berth history web\nmore", "Before that, web@v3 failed: berth history web --node edge-1\nmore"},
      {"No apps yet; deploy one: berth deploy APP@RELEASE", "No apps yet; deploy one: berth deploy APP@RELEASE --node edge-1"},
      {"run 'berth exec web -- ls -l' there", "run 'berth exec web --node edge-1 -- ls -l' there"},
      {"until 'berth node resume'", "until 'berth node resume --node edge-1'"},
  };
  for (const auto& [text, expected] : table) {
    EXPECT_EQ(for_node(text, "edge-1"), expected);
    EXPECT_EQ(for_node(expected, "edge-1"), expected) << "once is enough";
    EXPECT_EQ(for_node(text, ""), text);
  }
}

TEST(Advice, ForANodeLeavesTheRestAlone) {
  for (const char* text : {"berth stop: 'web@v1' names more than an app", "'berth build ./site' makes one", "'berth import web.berth'", "is it that berth status tells?", "it is not to be believed: berth status shows its metadata; ask who published it", "berth", "'berth "})
    EXPECT_EQ(for_node(text, "edge-1"), text);
}

TEST(Advice, AWordIsQuotedWhereAShellWouldReadItOtherwise) {
  const std::pair<const char*, const char*> table[] = {{"./site", "./site"}, {"web@v1", "web@v1"}, {"od d", "'od d'"}, {"n\xc3\xa4me", "'n\xc3\xa4me'"}, {"it's", "'it'\\''s'"}, {"", "''"}};
  for (const auto& [word, quoted] : table) EXPECT_EQ(shell_word(word), quoted);
}

/// Every verb, by how it is called after "berth".
void visit(const Verb& verb, const std::string& called) {
  if (verb.action) {
    const bool asks = verb.remotely == Remotely::reads || verb.remotely == Remotely::changes;
    EXPECT_EQ(for_node(fmt::format("'berth {}'", called), "edge-1").find("--node") != std::string::npos, asks) << called;
  }
  for (const Verb& below : verb.verbs) visit(below, called.empty() ? below.name : called + " " + below.name);
}

TEST(Advice, ForANodeKnowsEveryVerbThatAsksABerthd) {
  Console console;
  visit(berth_program(console), "");
}

}  // namespace
}  // namespace berth::cli
