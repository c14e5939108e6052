#include "cli/completion.h"

#include <algorithm>

#include <fmt/core.h>

namespace berth::cli {
namespace {

/// The option that `name` is one of the names of.
const Option* option_named(const Verb& root, const Verb& verb, const std::string& name) {
  for (const Verb* each : {&verb, &root})
    for (const Option& option : each->options)
      if (std::ranges::count(names_of(option), name) > 0) return &option;
  return nullptr;
}

void add_words(const std::string& words, std::vector<Offer>& offers) {
  for (std::size_t at = 0; at < words.size();) {
    const auto end = std::min(words.find(' ', at), words.size());
    if (end > at) offers.push_back({words.substr(at, end - at)});
    at = end + 1;
  }
}

void add_option(const Option& option, std::vector<Offer>& offers) {
  for (const std::string& name : names_of(option)) offers.push_back({name, option.help});
}

/// Keeps what an option says of where to ask.
void note_value(const Option& option, const std::string& value, Wanted& wanted) {
  const std::string name = names_of(option).back();
  if (name == "--node") wanted.nodes.push_back(value);
  if (name == "--socket") wanted.socket = value;
  if (name == "--repo") wanted.repository = value;
  if (name == "--environments") wanted.environments = value;
}

/// What stands for an argument: the last one may come several times.
const Argument* argument_at(const Verb& verb, std::size_t place) {
  if (place < verb.arguments.size()) return &verb.arguments[place];
  const bool many = !verb.arguments.empty() && std::holds_alternative<std::vector<std::string>*>(verb.arguments.back().into);
  return many ? &verb.arguments.back() : nullptr;
}

}  // namespace

Wanted wanted_by(const Verb& root, const std::vector<std::string>& words) {
  Wanted wanted;
  const Verb* verb = &root;
  const Option* open = nullptr;  // whose value comes next
  bool only_arguments = false;
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    const std::string& word = words[i];
    if (open != nullptr) {
      note_value(*std::exchange(open, nullptr), word, wanted);
    } else if (word == "--" && !only_arguments) {
      only_arguments = true;
    } else if (word.starts_with('-') && word.size() > 1 && !only_arguments) {
      const auto sign = word.starts_with("--") ? word.find('=') : std::string::npos;
      const Option* option = option_named(root, *verb, word.substr(0, sign));
      if (option == nullptr || option->value.empty()) continue;
      if (sign == std::string::npos) open = option;
      else note_value(*option, word.substr(sign + 1), wanted);
    } else if (const auto below = std::ranges::find(verb->verbs, word, &Verb::name); below != verb->verbs.end() && !only_arguments) {
      verb = &*below;
    } else if (verb == &root && word == "help") {
      continue;
    } else {
      wanted.arguments.push_back(word);
    }
  }
  wanted.typed = words.empty() ? "" : words.back();
  if (const auto sign = wanted.typed.find('='); open == nullptr && !only_arguments && wanted.typed.starts_with("--") && sign != std::string::npos) {
    open = option_named(root, *verb, wanted.typed.substr(0, sign));
    if (open == nullptr || open->value.empty()) return wanted;
    wanted.before = wanted.typed.substr(0, sign + 1);
    wanted.typed.erase(0, sign + 1);
  }
  if (open != nullptr) {
    add_words(open->words, wanted.offers);
    wanted.completes = open->completes;
  } else if (wanted.typed.starts_with('-') && !only_arguments) {
    for (const Option& option : verb->options) add_option(option, wanted.offers);
    if (verb != &root)
      for (const Option& option : root.options)
        if (is_asked(*verb, option.asks)) add_option(option, wanted.offers);
    wanted.offers.push_back({"--help", "its help, on a screen"});
    wanted.offers.push_back({"-h", "a screen of its help"});
  } else if (!verb->verbs.empty()) {
    for (const Verb& below : verb->verbs)
      if (!below.hidden) wanted.offers.push_back({below.name, below.summary});
  } else if (const Argument* argument = argument_at(*verb, wanted.arguments.size()); argument != nullptr && !argument->name.starts_with("--")) {
    add_words(argument->words, wanted.offers);
    wanted.completes = argument->completes;
  }
  std::erase_if(wanted.offers, [&](const Offer& offer) { return !offer.word.starts_with(wanted.typed); });
  return wanted;
}

}  // namespace berth::cli
