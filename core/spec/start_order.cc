#include "core/spec/start_order.h"

#include <algorithm>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "core/ids.h"
#include "core/spec/rules.h"

namespace berth::spec {
namespace {

constexpr std::size_t kMostAfter = 64;

/// What is wrong with a list of names itself.
void check_names(const std::vector<std::string>& names, const std::string& own, const Complaints& complaints) {
  if (names.size() > kMostAfter) complaints.add("after", fmt::format("names more than {}", kMostAfter));
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!is_name(names[i])) complaints.add("after", fmt::format("has '{}', which is no name", names[i]));
    else if (names[i] == own) complaints.add("after", fmt::format("names '{}' itself", own));
    else if (std::find(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(i), names[i]) != names.begin() + static_cast<std::ptrdiff_t>(i))
      complaints.add("after", fmt::format("names '{}' twice", names[i]));
  }
}

Waiting waiting_of(const AppSpec& spec) {
  Waiting waiting;
  for (const auto& [name, process] : spec.processes) waiting[name] = process.after;
  return waiting;
}

}  // namespace

std::vector<std::string> in_order(const std::vector<std::string>& names, const Waiting& waiting) {
  std::vector<std::string> order;
  std::map<std::string, bool> placed;  // false: on the way to it
  const auto place = [&](const auto& self, const std::string& name) -> void {
    if (!placed.emplace(name, false).second) return;
    if (const auto found = waiting.find(name); found != waiting.end())
      for (const std::string& before : found->second)
        if (waiting.contains(before)) self(self, before);
    placed[name] = true;
    order.push_back(name);
  };
  for (const std::string& name : names) place(place, name);
  return order;
}

std::vector<std::string> circle_of(const std::string& name, const Waiting& waiting) {
  std::vector<std::string> path;
  std::map<std::string, bool> seen;
  const auto leads_back = [&](const auto& self, const std::string& at) -> bool {
    path.push_back(at);
    if (const auto found = waiting.find(at); found != waiting.end())
      for (const std::string& before : found->second)
        if (before == name || (seen.emplace(before, true).second && self(self, before))) return true;
    path.pop_back();
    return false;
  };
  if (!leads_back(leads_back, name)) return {};
  path.push_back(name);
  return path;
}

std::vector<std::string> start_order(const AppSpec& spec) {
  std::vector<std::string> names;
  for (const auto& [name, process] : spec.processes) names.push_back(name);
  return in_order(names, waiting_of(spec));
}

void check_after(const AppSpec& spec, const Complaints& top) {
  std::vector<std::string> known;
  for (const auto& [name, process] : spec.processes) known.push_back(name);
  const Waiting waiting = waiting_of(spec);
  bool is_said = false;  // a circle is one complaint, whoever stands in it
  for (const auto& [name, process] : spec.processes) {
    const Complaints complaints = top.below("process").below(name);
    check_names(process.after, name, complaints);
    for (const std::string& before : process.after) {
      const auto known_one = spec.processes.find(before);
      if (known_one != spec.processes.end() && known_one->second.job) complaints.add("after", fmt::format("names '{}', which is a job: those run when all else is ready", before));
      if (known_one != spec.processes.end() || !is_name(before)) continue;
      const auto meant = nearest(before, known);
      complaints.add("after", fmt::format("names '{}', which is no process of this app{}; apps go into [deploy] after", before,
                                          meant ? fmt::format(" (did you mean '{}'?)", *meant) : ""));
    }
    const auto circle = is_said ? std::vector<std::string>() : circle_of(name, waiting);
    if (circle.size() <= 2) continue;  // itself: said above
    is_said = true;
    complaints.add("after", fmt::format("goes round in a circle: {}", fmt::join(circle, " after ")));
  }
  check_names(spec.deploy.after, spec.app, top.below("deploy"));
}

}  // namespace berth::spec
