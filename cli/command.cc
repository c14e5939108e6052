#include "cli/command.h"

#include <algorithm>

namespace berth::cli {

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
