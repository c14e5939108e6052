#include "cli/command.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace berth::cli {
namespace {

/// Which verbs are for a berthd, and how.
constexpr std::pair<std::string_view, Remotely> kRemotely[] = {
    {"apps", Remotely::reads},         {"status", Remotely::reads},      {"history", Remotely::reads},      {"events", Remotely::reads}, {"why", Remotely::reads},   {"releases", Remotely::reads},
    {"deploy", Remotely::changes},     {"revert", Remotely::changes},    {"hold", Remotely::changes},       {"resume", Remotely::changes}, {"mark", Remotely::changes},
    {"node drain", Remotely::changes}, {"node resume", Remotely::changes}, {"node reload", Remotely::changes}, {"remove", Remotely::changes},   {"run-job", Remotely::changes}, {"restart", Remotely::changes},
    {"stop", Remotely::changes},       {"start", Remotely::changes},     {"scale", Remotely::changes},      {"pin", Remotely::changes},    {"unpin", Remotely::changes},
    {"webhook list", Remotely::reads}, {"sinks", Remotely::reads}, {"webhook test", Remotely::changes}, {"cancel", Remotely::changes},     {"gc", Remotely::changes},        {"verify", Remotely::changes},     {"logs", Remotely::reads},
    {"exec", Remotely::changes},  {"import", Remotely::on_node_only},  {"inspect", Remotely::reads_here},   {"diff", Remotely::reads_here},
    {"export", Remotely::reads_here},   {"doctor", Remotely::on_node_only},   {"backup", Remotely::on_node_only},   {"restore", Remotely::on_node_only}};

}  // namespace

std::vector<std::string> names_of(const Option& option) {
  std::vector<std::string> names;
  std::size_t begin = 0;
  while (begin <= option.names.size()) {
    const auto comma = std::min(option.names.find(',', begin), option.names.size());
    names.push_back(option.names.substr(begin, comma - begin));
    begin = comma + 1;
  }
  return names;
}

Remotely remotely_of(std::string_view called) {
  const auto* known = std::ranges::find(kRemotely, called, &std::pair<std::string_view, Remotely>::first);
  return known == std::end(kRemotely) ? Remotely::never : known->second;
}

bool is_asked(const Verb& verb, Asks where) {
  if (where == Asks::no) return true;
  if (std::ranges::any_of(verb.verbs, [where](const Verb& below) { return is_asked(below, where); })) return true;
  if (verb.remotely == Remotely::reads || verb.remotely == Remotely::changes) return true;
  return verb.remotely != Remotely::never && where == Asks::here;
}

const Verb* find_verb(const Verb& root, const std::vector<std::string>& path) {
  const Verb* verb = &root;
  for (const auto& name : path) {
    const auto next = std::ranges::find(verb->verbs, name, &Verb::name);
    if (next == verb->verbs.end()) return nullptr;
    verb = &*next;
  }
  return verb;
}

}  // namespace berth::cli
