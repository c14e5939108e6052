#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "daemon/deploy/machine.h"

namespace berth::deploy {
namespace {

constexpr const char* kMachinePage = BERTH_SOURCE "/docs/architecture.md";
constexpr std::string_view kMachineBegin = "<!-- machine: written by daemon_deploy_test -->\n", kMachineEnd = "<!-- end of the machine -->\n";

/// A deployment's way while all goes well, "⇒" where it is decided.
std::string drawn_way(std::string_view name, const Course& course) {
  std::string text = fmt::format("{:<24}", name);
  for (Position at;;) {
    text += to_string(at.state);
    if (is_terminal(at.state)) return text + "\n";
    const auto next = step(at, course, Happening::done)->to;
    text += next.decided != at.decided ? " ⇒ " : " → ";
    at = next;
  }
}

/// Every course there can be.
std::vector<Course> all_courses() {
  std::vector<Course> all;
  for (unsigned bits = 0; bits < 64; ++bits) {
    const auto bit = [bits](unsigned place) { return (bits >> place & 1) != 0; };
    const Course course{.on_node = bit(0), .stop_first = bit(1), .canary = bit(2), .gradual = bit(3), .has_previous = bit(4), .blamed = bit(5)};
    // What is stopped first has something to stop and replaces all at once; a canary is one of a few.
    if ((course.stop_first && (course.gradual || !course.has_previous)) || (course.canary && !course.gradual) || (course.gradual && !course.has_previous)) continue;
    all.push_back(course);
  }
  return all;
}

/// Where each thing that can go wrong leads to from each position that can be reached.
std::string drawn_troubles() {
  constexpr std::pair<Happening, const char*> kTroubles[] = {{Happening::failed, "a failure"}, {Happening::cancelled, "cancelled"}, {Happening::superseded, "a newer request"},
                                                             {Happening::given_up, "given up"}, {Happening::torn, "torn"}};
  std::map<std::pair<State, bool>, std::map<Happening, std::set<State>>> leads;
  for (const Course& course : all_courses()) {
    std::set<std::pair<State, bool>> seen;
    std::vector<Position> todo{{}};
    while (!todo.empty()) {
      const Position at = todo.back();
      todo.pop_back();
      if (is_terminal(at.state) || !seen.emplace(at.state, at.decided).second) continue;
      for (int number = 0; number <= static_cast<int>(Happening::torn); ++number) {
        const auto happening = static_cast<Happening>(number);
        const auto found = step(at, course, happening);
        if (!found) continue;
        todo.push_back(found->to);
        leads[{at.state, at.decided}][happening].insert(found->to.state);
      }
    }
  }
  std::string text = "| state |";
  for (const auto& [happening, name] : kTroubles) text += fmt::format(" {} |", name);
  text += "\n|---|---|---|---|---|---|\n";
  for (const auto& [from, troubles] : leads) {
    text += fmt::format("| {}{} |", to_string(from.first), from.second ? ", decided" : "");
    for (const auto& [happening, name] : kTroubles) {
      std::vector<std::string_view> names;
      if (const auto found = troubles.find(happening); found != troubles.end())
        for (const State state : found->second) names.push_back(to_string(state));
      text += fmt::format(" {} |", names.empty() ? "–" : fmt::format("{}", fmt::join(names, ", ")));
    }
    text += '\n';
  }
  return text;
}

std::string drawn() {
  return "```\n" + drawn_way("blue-green", {}) + drawn_way("recreate", {.stop_first = true}) + drawn_way("rolling", {.gradual = true}) +
         drawn_way("canary", {.canary = true, .gradual = true}) + drawn_way("its slot is there", {.on_node = true}) + "```\n\n" + drawn_troubles();
}

/// After a change of the machine: BERTH_WRITE_DOCS=1 build/release/daemon/deploy/daemon_deploy_test --gtest_filter='Machine.Is*' writes it anew.
TEST(Machine, IsDrawnInTheDocumentationAsTheCodeHasIt) {
  std::ifstream file(kMachinePage);
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  const auto begin = page.find(kMachineBegin), end = page.find(kMachineEnd);
  ASSERT_NE(begin, std::string::npos) << kMachinePage;
  ASSERT_NE(end, std::string::npos) << kMachinePage;
  const auto from = begin + kMachineBegin.size();
  if (std::getenv("BERTH_WRITE_DOCS") != nullptr) std::ofstream(kMachinePage) << page.substr(0, from) << drawn() << page.substr(end);
  else EXPECT_EQ(page.substr(from, end - from), drawn()) << "write it anew: see the comment of this test";
}

}  // namespace
}  // namespace berth::deploy
