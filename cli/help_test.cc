#include "cli/help.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>

#include "cli/output/text.h"
#include "cli/verbs.h"

namespace berth::cli {
namespace {

using testing::HasSubstr;

constexpr std::size_t kRows = 23, kColumns = 80;  // of 24, with the prompt behind it

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

/// Every verb that can be called, and those that only have others below them, with how they are called.
class VerbHelp : public testing::Test {
 protected:
  void SetUp() override { visit(root, {root.name}); }
  void visit(const Verb& verb, const std::vector<std::string>& path) {
    if (verb.hidden) return;
    all.emplace_back(&verb, path);
    for (const Verb& below : verb.verbs) {
      auto deeper = path;
      deeper.push_back(below.name);
      visit(below, deeper);
    }
  }
  static std::string called(const std::vector<std::string>& path) { return fmt::format("{}", fmt::join(path, " ")); }

  Console console;
  Verb root = berth_program(console);
  std::vector<std::pair<const Verb*, std::vector<std::string>>> all;
};

bool has_option(const Verb& verb, const std::string& name) {
  return std::ranges::any_of(verb.options, [&](const Option& option) { return std::ranges::count(names_of(option), name) > 0; });
}

TEST_F(VerbHelp, OfAVerbIsWholeAndAsWideAsATerminal) {
  for (const auto& [verb, path] : all) {
    const std::string text = help_text(root, *verb, path);
    EXPECT_THAT(text, HasSubstr("\nExamples:\n")) << called(path);
    EXPECT_EQ(text.find("\nExit codes:\n") != std::string::npos, verb->verbs.empty()) << called(path);
    for (const Option& option : root.options) {
      if (option.asks != Asks::no) continue;
      EXPECT_THAT(text, HasSubstr(names_of(option).back())) << called(path);
    }
    for (const Option& option : verb->options) EXPECT_THAT(text, HasSubstr(names_of(option).back())) << called(path);
    for (const std::string& line : lines_of(text)) EXPECT_LE(columns(line), kColumns) << called(path) << ": " << line;
  }
}

TEST_F(VerbHelp, OnAScreenFitsTheSmallestAndSaysWhereMoreIs) {
  for (const auto& [verb, path] : all) {
    const std::string text = short_help_text(root, *verb, path);
    EXPECT_THAT(text, testing::Not(HasSubstr("\n\n\n"))) << called(path);
    for (const std::string& line : lines_of(text)) {
      if (!line.starts_with("  ") || line.ends_with("…")) continue;
      EXPECT_LE(std::ranges::count(line, '('), std::ranges::count(line, ')')) << called(path) << ": " << line;
    }
    const auto lines = lines_of(text);
    EXPECT_LE(lines.size(), kRows) << text;
    for (const std::string& line : lines) EXPECT_LE(columns(line), kColumns) << called(path) << ": " << line;
    EXPECT_THAT(text, HasSubstr("\nExamples:\n")) << called(path);
    EXPECT_EQ(text.find("\nExit codes: 0") != std::string::npos, verb->verbs.empty()) << text;
    EXPECT_THAT(text, HasSubstr(" -v ")) << called(path);
    EXPECT_THAT(text, HasSubstr(fmt::format("\nMore: berth help {}", path.size() == 1 ? "VERB" : called({path.begin() + 1, path.end()})))) << text;
    for (const Argument& argument : verb->arguments) EXPECT_THAT(text, HasSubstr("\n  " + argument.name)) << text;
    if (verb == &root) continue;
    for (const Option& option : verb->options) {
      if (option.rare) continue;
      EXPECT_THAT(text, HasSubstr(names_of(option).back())) << "named, if not told of: " << text;
    }
    for (const Verb& below : verb->verbs) {
      if (below.hidden) continue;
      EXPECT_THAT(text, HasSubstr(below.name)) << text;
    }
  }
}

TEST_F(VerbHelp, OnAScreenTellsOfWhatIsUsedMost) {
  for (const auto& [name, told] : std::map<std::string, std::vector<std::string>>{{"berth deploy", {"--plan", "--force"}}, {"berth logs", {"--follow", "--since"}}, {"berth exec", {"--terminal", "--release"}}})
    for (const auto& [verb, path] : all) {
      if (called(path) != name) continue;
      const auto lines = lines_of(short_help_text(root, *verb, path));
      for (const std::string& option : told)
        EXPECT_TRUE(std::ranges::any_of(lines, [&](const std::string& line) { return line.find(option) < 10 && line.size() > 40; })) << name << " " << option;
    }
  const std::string first = short_help_text(root, root, {"berth"});
  for (const char* verb : {"deploy", "status", "logs", "revert", "completion"}) EXPECT_THAT(first, HasSubstr(verb));
}

TEST_F(VerbHelp, OfWhatChangesANodeHasAReason) {
  std::vector<std::string> without;
  for (const auto& [verb, path] : all)
    if (verb->action && verb->remotely == Remotely::changes && !has_option(*verb, "--reason")) without.push_back(called(path));
  // This changes nothing that anybody would ask the reason of: what is there is looked at.
  EXPECT_THAT(without, testing::ElementsAre("berth verify"));
}

TEST_F(VerbHelp, NamesABerthdOnlyWhereOneIsAsked) {
  const std::map<std::string, std::pair<bool, bool>> table{{"berth", {true, true}}, {"berth build", {false, false}}, {"berth run", {false, false}}, {"berth new", {false, false}},
                                                           {"berth repo", {false, false}}, {"berth repo init", {false, false}}, {"berth status", {true, true}}, {"berth node", {true, true}},
                                                           {"berth exec", {true, true}}, {"berth inspect", {true, false}}, {"berth logs", {true, true}}};
  std::size_t seen = 0;
  for (const auto& [verb, path] : all) {
    const auto known = table.find(called(path));
    if (known == table.end()) continue;
    ++seen;
    for (const std::string& text : {help_text(root, *verb, path), short_help_text(root, *verb, path)}) {
      EXPECT_EQ(text.find("--socket") != std::string::npos, known->second.first) << text;
      EXPECT_EQ(text.find(" --node") != std::string::npos, known->second.second) << text;
    }
  }
  EXPECT_EQ(seen, table.size());
}

TEST_F(VerbHelp, OfWhatCanBeLeftToItselfSaysHowLongItIsWaitedFor) {
  for (const auto& [verb, path] : all) {
    const bool has_timeout = has_option(*verb, "--timeout");
    EXPECT_TRUE(has_timeout || !has_option(*verb, "--no-wait")) << called(path);
    EXPECT_TRUE(!has_timeout || std::ranges::count(verb->exits, Exit::still_running) == 1) << called(path);
  }
}

TEST_F(VerbHelp, NamesTheSameThingAlike) {
  std::map<std::string, std::set<std::string>> shorts, values;
  for (const auto& [verb, path] : all) {
    std::set<std::string> taken;
    for (const std::vector<Option>* options : {static_cast<const std::vector<Option>*>(&root.options), &verb->options}) {
      if (verb == &root && options == &verb->options) continue;
      for (const Option& option : *options) {
        for (const std::string& name : names_of(option)) EXPECT_TRUE(taken.insert(name).second) << called(path) << " has two of " << name;
        EXPECT_TRUE(names_of(option).back().starts_with("--")) << called(path) << ": " << option.names;
        shorts[names_of(option).back()].insert(option.names);
        values[names_of(option).back()].insert(option.value.empty() ? "a flag" : "a value");
      }
    }
  }
  for (const auto& [name, all_names] : shorts) EXPECT_EQ(all_names.size(), 1u) << name << " is " << fmt::format("{}", fmt::join(all_names, " and "));
  for (const auto& [name, kinds] : values) EXPECT_EQ(kinds.size(), 1u) << name << " is a flag here and has a value there";
}

}  // namespace
}  // namespace berth::cli
